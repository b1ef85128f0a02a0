/** What a GET showed is edited and sent back as a whole, while the machine goes on. */
import { beforeEach, describe, expect, it } from 'vitest';
import { BAD } from '../../../src/core/status.ts';
import { ApiClient } from '../../support/api-client.ts';
import { sensor } from '../../support/fake-services.ts';

type Part = Record<string, unknown> & { id: string };

let client: ApiClient;

/** A pump: the PLC has `temperature` and `speed`, nobody has `level` and `mode`. */
beforeEach(() => {
  client = new ApiClient();
  const { services } = client;
  services.addSource({ id: 'plc' });
  services.owners.set('pump/temperature', { source: 'plc', writable: false });
  services.owners.set('pump/speed', { source: 'plc', writable: true });
  services.addTwin({
    id: 'pump',
    sensors: [sensor('pump', 'temperature'), sensor('pump', 'level')],
    actuators: [
      { id: 'speed', name: 'Speed', type: 'continuous', binding: { source: 'plc', asset: 'pump', tag: 'speed', min: 0, max: 100 } },
      { id: 'mode', name: 'Mode', type: 'binary' },
    ],
  });
  reads('temperature', 20);
  reads('speed', 33);
});

function reads(tag: string, value: number, more = {}): void {
  client.services.addSample({ source: 'plc', asset: 'pump', tag, timeMs: client.services.nowMs, value, ...more });
}

const patch = (path: string, json: unknown, token = client.token) =>
  client.send(`/api/twins/pump${path}`, { method: 'PATCH', json, token });
const twin = async () => (await client.get('/api/twins/pump')).body.data as { sensors: Part[]; actuators: Part[] };
const part = async (kind: 'sensors' | 'actuators', id: string) => (await twin())[kind].find((one) => one.id === id) as Part;

describe('a sensor that a device gives its value', () => {
  it('takes its edited answer back, moved on or not', async () => {
    const shown = await part('sensors', 'temperature');
    expect((await patch('/sensors/temperature', { ...shown, max_value: 90 })).body.data).toMatchObject({
      max_value: 90,
      current_value: 20,
    });
    client.services.advance(1_000);
    reads('temperature', 21);
    const answer = await patch('/sensors/temperature', { ...shown, max_value: 95 });
    expect([answer.status, answer.body.data]).toMatchObject([200, { max_value: 95, current_value: 21 }]);
    expect(client.services.samples.filter(({ value }) => value === 20)).toHaveLength(1);
  });

  it('refuses a value that was edited all the same', async () => {
    const shown = await part('sensors', 'temperature');
    const answer = await patch('/sensors/temperature', { ...shown, current_value: 25 });
    expect([answer.status, answer.body.error.code]).toEqual([409, 'SENSOR_BOUND']);
  });
});

describe('a sensor of nobody', () => {
  it('gets a reading when its value is set, and none when it only comes back', async () => {
    const count = () => client.services.samples.length;
    await patch('/sensors/level', { current_value: 5 });
    const before = count();
    const shown = await part('sensors', 'level');
    expect((await patch('/sensors/level', { ...shown, name: 'Level of the tank' })).status).toBe(200);
    expect(count()).toBe(before);
    await patch('/sensors/level', { ...shown, current_value: 6 });
    await patch('/sensors/level', { current_value: 6 });
    expect(count()).toBe(before + 2);
  });

  it('is given a value only by a token that may write telemetry', async () => {
    const assets = client.services.addToken(['write:assets']);
    const both = client.services.addToken(['write:assets', 'write:telemetry']);
    const before = client.services.samples.length;
    const json = { id: 'flow', name: 'Flow', unit: 'l/s', current_value: 1 };
    for (const { status, body } of [
      await patch('/sensors/level', { current_value: 5 }, assets),
      await client.post('/api/twins/pump/sensors', json, { token: assets }),
    ]) {
      expect([status, body.error.message]).toEqual([403, 'This token lacks the scope write:telemetry.']);
    }
    expect(client.services.samples).toHaveLength(before);
    expect((await twin()).sensors).toHaveLength(2);
    expect((await patch('/sensors/level', { max_value: 9 }, assets)).status).toBe(200);
    expect((await patch('/sensors/level', { current_value: 5 }, both)).status).toBe(200);
    expect((await client.post('/api/twins/pump/sensors', json, { token: both })).status).toBe(201);
  });
});

describe('an actuator', () => {
  const commands = () => client.services.commands.map(({ value }) => value);

  it('is renamed by its edited answer without a command, and moved by an edited state', async () => {
    const shown = await part('actuators', 'speed');
    const renamed = await patch('/actuators/speed', { ...shown, description: 'of the drum' });
    expect(renamed.body.data).toMatchObject({ description: 'of the drum', current_state: 33 });
    expect(commands()).toEqual([]);
    await patch('/actuators/speed', { ...shown, current_state: 40 });
    expect(commands()).toEqual([40]);
  });

  it('is commanded by an explicit state, though it shows it already', async () => {
    await patch('/actuators/speed', { current_state: 33 });
    expect(commands()).toEqual([33]);
  });

  it('is commanded where what it shows is no more than the last that is known, or not what was asked of it', async () => {
    const shown = await part('actuators', 'speed');
    client.services.lastCommands.set('pump/speed', { value: 70, failure: null, pending: true });
    await patch('/actuators/speed', shown);
    client.services.lastCommands.clear();
    client.services.advance(1_000);
    reads('speed', 33, { value: null, status: BAD });
    await patch('/actuators/speed', await part('actuators', 'speed'));
    expect(commands()).toEqual([33, 33]);
  });

  it('is given a state at its making only by a token that may set one', async () => {
    const json = { id: 'valve', name: 'Valve', type: 'binary', current_state: true };
    const make = (scopes: string[]) => client.post('/api/twins/pump/actuators', json, { token: client.services.addToken(scopes) });
    const refused = await make(['write:assets', 'write:telemetry']);
    expect([refused.status, refused.body.error.message]).toEqual([403, 'This token lacks the scope write:control.']);
    expect((await make(['write:assets', 'write:control'])).status).toBe(201);
  });

  it.each<[string, string, unknown]>([
    ['speed', 'type', 'binary'],
    ['speed', 'binding', { tag_name: 'speed', min: 0, max: 0 }],
    ['speed', 'binding', null],
    ['mode', 'binding', { asset_id: 'pump', tag_name: 'speed' }],
  ])('%s refuses another %s by its name', async (id, field, value) => {
    const before = await twin();
    const { status, body } = await patch(`/actuators/${id}`, { [field]: value });
    expect([status, body.error.details]).toEqual([422, [{ field, message: 'is not changed here: must be as it is, or be left out' }]]);
    expect(await twin()).toEqual(before);
    const same = (await part('actuators', id))[field];
    expect((await patch(`/actuators/${id}`, { [field]: same ?? null })).status).toBe(200);
  });
});

describe('a twin', () => {
  it('takes its parts back, whatever their values have become', async () => {
    const shown = (await client.get('/api/twins/pump?explain=1')).body.data;
    client.services.advance(1_000);
    reads('temperature', 22);
    const answer = await patch('', { ...shown, name: 'Pump 1' });
    expect([answer.status, answer.body.data.name]).toEqual([200, 'Pump 1']);
  });

  it('refuses other parts by the name of the field', async () => {
    const { sensors, actuators } = await twin();
    for (const [field, value] of [
      ['sensors', [{ id: 'new' }]],
      ['sensors', sensors.slice(1)],
      ['sensors', sensors.map((one) => ({ ...one, max_value: 1 }))],
      ['sensors', 'none'],
      ['actuators', [...actuators, { id: 'new' }]],
      ['actuators', [null]],
    ] as const) {
      const { status, body } = await patch('', { [field]: value });
      expect([status, body.error.details[0].field]).toEqual([422, field]);
    }
  });

  it('says which field has the unknown type', async () => {
    const answers = [
      await client.post('/api/twins', { id: 'x', name: 'X', type: 'rocket' }),
      await patch('', { type: 'rocket' }),
      await client.get('/api/twins?type=rocket'),
    ];
    for (const { status, body } of answers) {
      expect([status, body.error.code, body.error.details]).toMatchObject([
        422,
        'INVALID_TWIN_TYPE',
        [{ field: 'type', message: expect.stringContaining('must be one of equipment, ') }],
      ]);
    }
  });
});
