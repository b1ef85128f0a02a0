/** The built daemon on a server that this project did not write: live events, values of a time, where they came from, and a stop with clients that stay. */
import { get } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { SseReader } from '../support/sse.ts';
import { eventually } from '../support/wait.ts';
import { leaveOut, libmodbus, type Peer } from './peers.ts';

const left = await leaveOut('libmodbus');

/** What `twinbox run` promises for a stop, with a margin: a stream must not hold it up. */
const STOP_LIMIT_MS = 15_000;

describe.skipIf(left)('a daemon that polls a Modbus server', () => {
  let plc: Peer;
  let daemon: TestDaemon;

  beforeAll(async () => {
    plc = await libmodbus();
    await plc.start();
    const tag = { tag_name: 'counter', asset_id: 'line-1', register_type: 'input', address: 0, data_type: 'uint32' };
    const config = { host: '127.0.0.1', port: plc.port, polling_interval_ms: 100, timeout_ms: 500 };
    daemon = await TestDaemon.start({ sources: [{ id: 'plc', name: 'PLC', type: 'modbus', config, tags: [tag] }] });
  });

  afterAll(async () => {
    await daemon?.dispose();
    await plc?.kill();
  });

  const listen = (query = '') => {
    const reader = Object.assign(new SseReader(), { ended: false });
    get(`${daemon.url}/v1/stream${query}`, { headers: { Authorization: `Bearer ${daemon.token}` }, agent: false }, (response) => {
      response.on('data', (chunk) => reader.take(chunk));
      response.on('error', () => undefined); // cut off at the end
      response.on('close', () => {
        reader.ended = true;
      });
    });
    return reader;
  };

  test('tells each reading and how the source fares', async () => {
    const client = listen('?asset_id=line-1&tags=counter');
    const deaf = listen('?asset_id=elsewhere');
    await eventually(() => (client.rows.length >= 10 ? true : undefined), { what: 'ten readings', timeoutMs: 10_000 });
    const values = client.rows.map(({ value }) => value);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(client.rows[0]).toMatchObject({ asset_id: 'line-1', tag_name: 'counter', data_source_id: 'plc', quality: 'good' });
    const states = () => client.events.filter(({ name }) => name === 'source').map(({ data }) => data.data.status);
    await eventually(() => (states().at(-1) === 'connected' ? true : undefined), { what: 'connected', timeoutMs: 10_000 });
    await plc.kill();
    await eventually(() => (states().at(-1) === 'disconnected' ? true : undefined), { what: 'disconnected', timeoutMs: 20_000 });
    await eventually(() => (client.rows.at(-1)?.quality === 'bad' ? true : undefined), { what: 'a bad reading', timeoutMs: 10_000 });
    await plc.start();
    await eventually(() => (states().at(-1) === 'connected' ? true : undefined), { what: 'connected again', timeoutMs: 20_000 });
    expect(deaf.rows).toEqual([]);
  });

  test('knows what the counter was, and where it stands', async () => {
    const history = await daemon.get('/api/twins/line-1/sensors/counter/history?per_page=1000');
    const good = history.body.data.filter(({ value }: { value: unknown }) => value !== null);
    const { timestamp, value } = good[Math.floor(good.length / 2)];
    const past = await daemon.get(`/api/twins/line-1?at=${timestamp}`);
    expect(past.body.data.sensors[0]).toMatchObject({ id: 'counter', current_value: value, last_updated: timestamp });
    const before = await daemon.get(`/api/twins/line-1?at=2020-01-01`);
    expect(before.body.data.sensors[0]).toMatchObject({ current_value: null, last_updated: null });
    const { body } = await daemon.get('/api/twins/line-1?explain=1');
    expect(body.data.sensors[0].explain).toMatchObject({
      data_source_id: 'plc',
      type: 'modbus',
      endpoint: `127.0.0.1:${plc.port}`,
      address: { unit_id: 1, register_type: 'input', address: 0, registers: 2 },
      decode: { data_type: 'uint32', byte_order: 'ABCD' },
      raw: { registers: expect.stringMatching(/^[0-9a-f]{4} [0-9a-f]{4}$/) },
      config_revision: expect.stringMatching(/^[0-9a-f]{12}$/),
      unknown: ['source_time', 'server_time'],
    });
    expect(Date.parse(body.data.sensors[0].explain.read_time)).toBeGreaterThan(Date.parse(timestamp));
    expect(Date.parse(body.data.sensors[0].explain.received_time)).toBeGreaterThan(Date.parse(timestamp));
  });

  test('stops at once with clients that listen', async () => {
    const clients = [listen(), listen('?asset_id=line-1')];
    await eventually(() => (clients.every(({ rows }) => rows.length > 0) ? true : undefined), { what: 'readings', timeoutMs: 10_000 });
    const startMs = performance.now();
    expect(await daemon.stop()).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(STOP_LIMIT_MS);
    await eventually(() => (clients.every(({ ended }) => ended) ? true : undefined), { what: 'the ends', timeoutMs: 5_000 });
  });
});
