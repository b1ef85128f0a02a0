/** Sources that change under load, in the file and over REST: those that stay as they are keep their link and lose not one sample. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaveOut, Mosquitto } from '../interop/peers.ts';
import { TestDaemon } from '../support/daemon.ts';
import { allSamples, expectBalancedBooks } from '../support/history.ts';
import { eventually, figure } from '../support/wait.ts';
import { CountingDevice } from './counting-device.ts';
import { expectKept } from './ledger.ts';
import { MQTT_ASSET, MqttLoad } from './load.ts';

/** Of each kind. */
const CHANGES = Number(process.env['TWINBOX_RELOADS'] ?? (process.env['TWINBOX_SHORT'] === '1' ? 20 : 100));
const TEST_TIMEOUT_MS = 60_000 + CHANGES * 2_000;
/** Longer than this machine may be busy with something else: a request that is given up would be a sample that is lost. */
const PATIENCE_MS = 20_000;
/** A poll may be under way. */
const UNDER_WAY = 1;

const left = await leaveOut('mosquitto');

describe.skipIf(left)(`${CHANGES} reloads, ${CHANGES} changes over REST and ${CHANGES} of tags under load`, () => {
  let broker: Mosquitto;
  let ofFile: CountingDevice;
  let ofApi: CountingDevice;
  let other: CountingDevice;
  let retagged: CountingDevice;
  let daemon: TestDaemon;

  beforeAll(async () => {
    broker = await Mosquitto.create();
    await broker.start();
    [ofFile, ofApi, other, retagged] = await Promise.all([
      CountingDevice.start(),
      CountingDevice.start(),
      CountingDevice.start(),
      CountingDevice.start(),
    ]);
    daemon = await TestDaemon.start(fileWith(0));
  });

  afterAll(async () => {
    await daemon?.dispose();
    for (const device of [ofFile, ofApi, other, retagged]) await device?.stop();
    await broker?.dispose();
  });

  /** The file after so many changes: each changes one of the last three sources. */
  function fileWith(changes: number) {
    const nth = (kind: number) => Math.floor((changes + 2 - kind) / 3); // changes of this kind so far
    return {
      security: { egress: { allow: ['127.0.0.0/8'] } },
      log: { level: 'info' },
      sources: [
        { id: 'ds-steady-plc', name: 'Steady PLC', type: 'modbus', config: polling(ofFile), tags: [counter('steady-plc')] },
        { id: 'ds-steady-bus', name: 'Steady bus', type: 'mqtt', config: listening(true), tags: [numbered('steady-bus')] },
        {
          id: 'ds-moving-plc',
          name: 'Moving PLC',
          type: 'modbus',
          config: { ...polling(other), unit_id: 1 + (nth(0) % 200) },
          tags: [counter('moving')],
        },
        {
          id: 'ds-moving-bus',
          name: 'Moving bus',
          type: 'mqtt',
          config: { ...listening(true), keepalive_s: 5 + (nth(1) % 10) },
          tags: [numbered('moving-bus')],
        },
        {
          id: 'ds-moving-sim',
          name: 'Moving simulator',
          type: 'simulator',
          config: { seed: nth(2), polling_interval_ms: 100 },
          tags: [{ tag_name: 's', asset_id: 'sim' }],
        },
      ],
    };
  }

  function polling(device: CountingDevice) {
    return { host: '127.0.0.1', port: device.port, polling_interval_ms: 100, timeout_ms: PATIENCE_MS };
  }

  function listening(clean: boolean) {
    return { broker_url: broker.url, qos: 1, clean_session: clean };
  }

  async function made(source: object): Promise<string> {
    const { status, body } = await daemon.post('/v1/data-sources', source);
    expect(status, JSON.stringify(body)).toBe(201);
    return body.data.id;
  }

  function connected(id: string): Promise<true> {
    return eventually(async () => (await daemon.get(`/v1/data-sources/${id}`)).body.data.state === 'connected' || undefined, {
      what: `${id} is connected`,
      timeoutMs: PATIENCE_MS,
      explain: () => daemon.log().slice(-4_000),
    });
  }

  /** One source of the file after the other is changed, and each change is seen in the source before the next. */
  async function changeFile(): Promise<void> {
    for (let change = 1; change <= CHANGES; change++) await takesFile(change);
  }

  async function takesFile(change: number): Promise<void> {
    const file = fileWith(change);
    await daemon.reconfigure(file);
    const [, , ...moving] = file.sources;
    const { id, config } = moving[(change - 1) % moving.length] as (typeof moving)[number];
    await eventually(
      async () => {
        const { body } = await daemon.get(`/v1/data-sources/${id}`);
        expect(body.data.config).toMatchObject(config);
        return true;
      },
      { what: `${id} runs with what the file says`, timeoutMs: PATIENCE_MS, explain: () => daemon.log().slice(-4_000) },
    );
  }

  /** Sources come, are changed and go; four changes a round. */
  async function changeOverRest(): Promise<void> {
    for (let change = 0; change < CHANGES; change += 4) {
      const guest = { name: 'Guest', type: 'modbus', config: polling(other), tags: [counter(`guest-${change % 8}`)] };
      const path = `/v1/data-sources/${await made(guest)}`;
      const { type: _, ...again } = guest;
      expect((await daemon.put(path, { ...again, config: { ...guest.config, unit_id: 9 } })).status).toBe(200);
      expect((await daemon.put(path, { ...again, tags: [counter('guest'), { ...counter('guest'), tag_name: 'm' }] })).status).toBe(200);
      expect((await daemon.delete(path)).status).toBe(204);
    }
  }

  /** Tags beside the first one of these two come, move and go; the first one stays. */
  async function changeTags(plc: string, bus: string): Promise<void> {
    for (let change = 0; change < CHANGES; change += 2) {
      const extra = { tag_name: `extra-${change % 3}`, asset_id: 'retagged' };
      const registers = [counter('retagged-plc'), { ...counter('retagged-plc'), ...extra, address: 1 + (change % 16) }];
      const topics = [numbered('retagged-bus'), { ...numbered('retagged-bus'), ...extra, topic: `load/other-${change}/n` }];
      const name = 'Retagged';
      expect((await daemon.put(`/v1/data-sources/${plc}`, { name, config: polling(retagged), tags: registers })).status).toBe(200);
      expect((await daemon.put(`/v1/data-sources/${bus}`, { name, config: listening(true), tags: topics })).status).toBe(200);
    }
  }

  /** Asserts that every answer of the device is in history, in its order, once and good. Returns how many there are. */
  async function expectEveryAnswer(device: CountingDevice, asset: string, fromMs: number): Promise<number> {
    const answered = device.answered;
    const found = await eventually(
      async () => {
        const all = await allSamples(daemon, { asset, tag: 'n', fromMs, toMs: Date.now() + 60_000 });
        return all.length >= answered - UNDER_WAY ? all : undefined;
      },
      { what: `all ${answered} answers for ${asset} are in history`, timeoutMs: PATIENCE_MS, everyMs: 200 },
    );
    expect(found.map(({ value, quality }) => [value, quality])).toEqual(found.map((_, index) => [index, 'good']));
    return found.length;
  }

  async function everyMessage(asset: string, messages: number): Promise<void> {
    await eventually(async () => (await expectKept(daemon, { asset, tag: 'n' }, { from: 0, to: messages }, () => true)) >= 0 || undefined, {
      what: `all ${messages} messages for ${asset} are in history`,
      timeoutMs: PATIENCE_MS,
      everyMs: 500,
    });
  }

  test('the sources that stay as they are lose nothing, and those made over REST come up again', { timeout: TEST_TIMEOUT_MS }, async () => {
    const startMs = Date.now() - 1_000;
    const steady = { name: 'Steady', type: 'modbus', config: polling(ofApi), tags: [counter('rest-plc')] };
    const plc = await made(steady);
    const bus = await made({ name: 'Steady', type: 'mqtt', config: listening(false), tags: [numbered('rest-bus')] });
    const name = 'Retagged';
    const retaggedPlc = await made({ name, type: 'modbus', config: polling(retagged), tags: [counter('retagged-plc')] });
    const retaggedBus = await made({ name, type: 'mqtt', config: listening(true), tags: [numbered('retagged-bus')] });
    await Promise.all(['ds-steady-plc', 'ds-steady-bus', plc, bus, retaggedPlc, retaggedBus].map(connected));
    const load = new MqttLoad(broker.url);
    await Promise.all([changeFile(), changeOverRest(), changeTags(retaggedPlc, retaggedBus)]);

    await daemon.reconfigure('data_dir: data\nsources:\n  - { id: ds-steady-plc, type: modbuss }\n');
    await eventually(() => /config\.yaml:3:\d+ sources\.0\.type – .*modbus/.test(daemon.log()) || undefined, {
      what: 'the log names the place of the fault',
      timeoutMs: PATIENCE_MS,
      explain: () => daemon.log().slice(-4_000),
    });
    expect((await daemon.get('/v1/data-sources')).body.meta.total).toBe(9);
    await takesFile(CHANGES + 1);

    const polls = await expectEveryAnswer(ofFile, 'steady-plc', startMs);
    await expectEveryAnswer(ofApi, 'rest-plc', startMs);
    await expectEveryAnswer(retagged, 'retagged-plc', startMs);
    expect([ofFile.connections, ofApi.connections, retagged.connections]).toEqual([1, 1, 1]);
    await everyMessage('steady-bus', load.taken);
    await everyMessage('retagged-bus', load.taken);
    await expectBalancedBooks(daemon);

    expect(await daemon.stop(), daemon.log().slice(-4_000)).toBe(0);
    await daemon.restart();
    const { body } = await daemon.get(`/v1/data-sources/${plc}`);
    expect(body.data, JSON.stringify(body)).toMatchObject({ ...steady, id: plc, revision: 1 });
    await Promise.all([connected(plc), connected(bus)]);
    await load.stop();
    await everyMessage('rest-bus', load.taken); // the broker kept those of the restart
    figure(
      `${CHANGES} reloads, ${CHANGES} changes over REST and ${CHANGES} changes of tags: 0 of ${polls} polls and 0 of ${load.taken} messages lost, each source one connection`,
    );
  });
});

describe('SIGHUP', () => {
  let daemon: TestDaemon;
  afterAll(() => daemon?.dispose());

  const hot = { id: 'hot', name: 'Hot', severity: 'warning', condition: { tag_name: 't', operator: 'gt', value: 80 } };

  async function logged(pattern: RegExp): Promise<void> {
    await eventually(() => pattern.test(daemon.log()) || undefined, {
      what: `the log says ${pattern}`,
      timeoutMs: PATIENCE_MS,
      explain: () => daemon.log().slice(-4_000),
    });
  }

  test('takes rules, twins and the level of the log while an alert stays open, and names what needs a restart', async () => {
    daemon = await TestDaemon.start({ sources: [], alert_rules: [hot], log: { level: 'error' } });
    const point = { asset_id: 'kiln', tag_name: 't', value: 90 };
    expect((await daemon.post('/v1/telemetry', { data: [point] })).status).toBe(200);
    const [alert] = (await daemon.get('/v1/alerts')).body.data;
    expect(alert).toMatchObject({ rule_id: 'hot', status: 'active' });
    const next = {
      sources: [],
      log: { level: 'info' },
      alert_rules: [hot, { ...hot, id: 'hotter', name: 'Hotter', condition: { ...hot.condition, value: 85 } }],
      twins: [{ id: 'kiln', name: 'Kiln 1', sensors: [{ id: 't', name: 'Temperature', unit: '°C' }] }],
      auto_twins: false,
    };
    await daemon.reconfigure(next);
    await logged(/config\.yaml:\d+:1 auto_twins needs a restart/);
    expect((await daemon.post('/v1/telemetry', { data: [{ ...point, value: 91 }] })).status).toBe(200);
    const open = (await daemon.get('/v1/alerts')).body.data;
    expect(new Set(open.map((each: { rule_id: string }) => each.rule_id))).toEqual(new Set(['hot', 'hotter']));
    expect(open.find((each: { rule_id: string }) => each.rule_id === 'hot').id).toBe(alert.id);
    expect((await daemon.get('/api/twins/kiln')).body.data).toMatchObject({ name: 'Kiln 1', sensors: [{ unit: '°C', current_value: 91 }] });
    await daemon.reconfigure({ ...next, twins: [] });
    await eventually(async () => (await daemon.get('/api/twins/kiln')).body.data.name === 'kiln' || undefined, {
      what: 'the twin is what its tag makes of it',
      timeoutMs: PATIENCE_MS,
    });
  });
});

function counter(asset: string) {
  return { tag_name: 'n', asset_id: asset, register_type: 'holding', address: 0, data_type: 'uint16' };
}

function numbered(asset: string) {
  return { tag_name: 'n', asset_id: asset, topic: `load/${MQTT_ASSET}/n`, json_path: '$.n', timestamp_path: '$.t' };
}
