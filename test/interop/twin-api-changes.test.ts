/** The writing examples of the Twin API's document on the built daemon, and what of them is there after a kill. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectPrinted } from '../contract/printed.ts';
import {
  EXCHANGER,
  EXCHANGER_CREATED,
  EXCHANGER_PATCH,
  EXCHANGER_UPDATED,
  FLOW,
  FLOW_PATCH,
  SPEED,
  SPEED_PATCH,
} from '../contract/twin-api-examples.ts';
import { TestDaemon } from '../support/daemon.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;
const TWIN = '/api/twins/heat-exchanger-1';
const PUMP = '/api/twins/pump-101';

describe('the writing examples of the Twin API on the daemon', () => {
  let daemon: TestDaemon;
  let createdAt: string;

  beforeAll(async () => {
    daemon = await TestDaemon.start({});
    expect((await daemon.post('/api/twins', { id: 'pump-101', name: 'Main Cooling Pump' })).status).toBe(201);
  });
  afterAll(() => daemon?.dispose());

  /** Two changes with this between them do not have the same time, however fast the disk is. */
  const nextMillisecond = () => sleep(2);

  const find = async (path: string, list: 'sensors' | 'actuators', id: string) =>
    (await daemon.get(path)).body.data[list].find((part: { readonly id: string }) => part.id === id);

  /** Not asked to end: what was answered must be there all the same. */
  const killAndRestart = async () => {
    expect(await daemon.kill('SIGKILL')).toBe('SIGKILL');
    await daemon.restart();
  };

  it('creates and updates a twin', async () => {
    const created = await daemon.post('/api/twins', EXCHANGER);
    expect(created.status).toBe(201);
    expectPrinted(created.body, { data: EXCHANGER_CREATED });
    createdAt = created.body.data.created_at;
    expect(createdAt).toMatch(TIME);
    expect(created.body.data.updated_at).toBe(createdAt);
    for (const id of ['inlet', 'outlet']) expect((await daemon.post(`${TWIN}/sensors`, { id, name: id, unit: '°C' })).status).toBe(201);
    expect((await daemon.post(`${TWIN}/actuators`, { id: 'valve', name: 'Valve', type: 'binary' })).status).toBe(201);
    await nextMillisecond();
    const updated = await daemon.patch(TWIN, EXCHANGER_PATCH);
    expect(updated.status).toBe(200);
    expectPrinted(updated.body, { data: { ...EXCHANGER_UPDATED, created_at: createdAt } });
    expect(Object.keys(updated.body.data.metadata)).toEqual(Object.keys(EXCHANGER_PATCH.metadata));
    expect(updated.body.data.updated_at).toMatch(TIME);
    expect(Date.parse(updated.body.data.updated_at)).toBeGreaterThan(Date.parse(createdAt));
  });

  it('adds and updates a sensor, whose values are its history', async () => {
    const added = await daemon.post(`${PUMP}/sensors`, FLOW);
    expect(added.status).toBe(201);
    expectPrinted(added.body, { data: FLOW });
    expect(added.body.data.last_updated).toMatch(TIME);
    await nextMillisecond();
    const updated = await daemon.patch(`${PUMP}/sensors/flow_rate`, FLOW_PATCH);
    expect(updated.status).toBe(200);
    expectPrinted(updated.body, { data: { ...FLOW, ...FLOW_PATCH } });
    const times = [added, updated].map(({ body }) => body.data.last_updated);
    expect(Date.parse(times[1])).toBeGreaterThan(Date.parse(times[0]));
    const { data } = (await daemon.get(`${PUMP}/sensors/flow_rate/history`)).body;
    expectPrinted(data, [
      { timestamp: times[0], value: 150 },
      { timestamp: times[1], value: 155.5 },
    ]);
  });

  it('adds and updates an actuator', async () => {
    const added = await daemon.post(`${PUMP}/actuators`, SPEED);
    expect(added.status).toBe(201);
    expectPrinted(added.body, { data: SPEED });
    await nextMillisecond();
    const updated = await daemon.patch(`${PUMP}/actuators/speed_control`, SPEED_PATCH);
    expect(updated.status).toBe(200);
    expectPrinted(updated.body, { data: { ...SPEED, ...SPEED_PATCH } });
    const times = [added, updated].map(({ body }) => body.data.last_updated);
    for (const time of times) expect(time).toMatch(TIME);
    expect(Date.parse(times[1])).toBeGreaterThan(Date.parse(times[0]));
  });

  it('has all of it after a kill, word for word', async () => {
    const read = async () => [(await daemon.get(TWIN)).body.data, (await daemon.get(PUMP)).body.data];
    const before = await read();
    await killAndRestart();
    expect(await read()).toEqual(before);
    expectPrinted(before[0], { ...EXCHANGER_UPDATED, created_at: createdAt });
    expectPrinted(await find(PUMP, 'sensors', 'flow_rate'), { ...FLOW, ...FLOW_PATCH });
    expectPrinted(await find(PUMP, 'actuators', 'speed_control'), { ...SPEED, ...SPEED_PATCH });
  });

  it('removes a sensor, an actuator and a twin, which stay away after a kill', async () => {
    const paths = [`${PUMP}/sensors/flow_rate`, `${PUMP}/actuators/speed_control`, TWIN];
    for (const path of paths) expect(await daemon.delete(path)).toEqual({ status: 204, body: undefined });
    const gone = async () => {
      for (const path of paths) expect((await daemon.delete(path)).status, path).toBe(404);
      expectPrinted((await daemon.get(PUMP)).body, { data: { sensor_count: 0, actuator_count: 0 } });
      expect((await daemon.get(TWIN)).body.error.code).toBe('TWIN_NOT_FOUND');
    };
    await gone();
    await killAndRestart();
    await gone();
  });
});
