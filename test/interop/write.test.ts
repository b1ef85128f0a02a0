/** Writes and reads on demand through the supervisor and the real drivers, to servers that this project did not write. */
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { type RecordVisitor, Ring } from '../../src/core/ring.ts';
import { GOOD, isBad } from '../../src/core/status.ts';
import type { Scalar, SeriesId } from '../../src/core/tag.ts';
import { MAX_TIME_MS } from '../../src/core/time.ts';
import { DRIVERS, type DriverType } from '../../src/drivers/registry.ts';
import { Pipeline } from '../../src/ingest/pipeline.ts';
import type { SourceSpec, SourceTag } from '../../src/ingest/source.ts';
import { Supervisor } from '../../src/ingest/supervisor.ts';
import { TagTable } from '../../src/ingest/tag-table.ts';
import { eventually, figure } from '../support/wait.ts';
import { leaveOut, libmodbus, Mosquitto, open62541, type Peer, pymodbus } from './peers.ts';

const never = new AbortController().signal;
const TIMEOUT_MS = 500;

/** A supervisor whose readings a test sees as the twins do; nothing is stored. */
class House {
  readonly supervisor: Supervisor;
  /** Newest value by tag; null when the status is bad. */
  readonly live = new Map<string, Scalar | null>();
  readonly #tags = new TagTable(() => undefined);
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(stateDir: string) {
    const see = (series: SeriesId, _timeMs: number, value: Scalar, status: number) =>
      this.live.set(this.#tags.definition(series).tag, isBad(status) ? null : value);
    const consumer: Omit<RecordVisitor, 'define'> = {
      number: see,
      integer: (series, timeMs, value, _signed, status) => see(series, timeMs, value, status),
      text: see,
    };
    const ring = new Ring();
    const durable = async () => {
      ring.setWritten(ring.head);
      ring.setDurable(ring.head);
    };
    const committer = { flush: () => void durable(), relieve: () => void durable(), durable };
    const pipeline = new Pipeline({ ring, tags: this.#tags, clock: systemClock, committer, consumer });
    this.#running = pipeline.run(this.#stop.signal);
    this.supervisor = new Supervisor({
      pipeline,
      drivers: { endpoint: (spec) => DRIVERS[spec.type].endpoint(spec.config), load: (spec) => DRIVERS[spec.type].load() },
      clock: systemClock,
      log: silentLog,
      random: Math.random,
      isTenant: () => true,
      latestMs: () => MAX_TIME_MS,
      stateDir: (type) => join(stateDir, type),
    });
  }

  /** Resolves as soon as the source runs. */
  async add(id: string, type: DriverType, config: object, tags: readonly object[]): Promise<void> {
    const { configSchema, tagSchema } = DRIVERS[type];
    const parsed = tags.map((tag) => tagSchema.parse({ asset_id: id, ...tag }) as unknown as SourceTag);
    const spec: SourceSpec = {
      id,
      name: id,
      type,
      tenant: 'default',
      enabled: true,
      managedBy: 'config',
      config: configSchema.parse(config),
      tags: parsed,
    };
    this.supervisor.add(spec, systemClock.now());
    await this.connected(id);
  }

  /** Resolves when the source has been connected with a reading of each of its tags. */
  async connected(id: string): Promise<void> {
    await eventually(
      () => {
        const source = this.supervisor.list().find((one) => one.id === id);
        const runs = source?.state === 'connected' || source?.state === 'degraded';
        return source && runs && (source.type === 'mqtt' || source.ledger.received >= source.tagCount) ? true : undefined;
      },
      { what: `${id} is connected`, timeoutMs: 20_000 },
    );
  }

  write(id: string, tagName: string, value: Scalar, signal = never) {
    return this.supervisor.write(id, { assetId: id, tagName }, value, signal);
  }

  /** Resolves when the twins see the value. */
  async sees(tag: string, value: Scalar): Promise<void> {
    await eventually(() => (this.live.get(tag) === value ? true : undefined), { what: `${tag} is ${value}`, timeoutMs: 5_000 });
  }

  async close(): Promise<void> {
    await this.supervisor.stop();
    this.#stop.abort();
    await this.#running;
  }
}

let folder: string;
let house: House;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-write-'));
  house = new House(folder);
});

afterAll(async () => {
  await house?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Passes Modbus requests on, 10 ms each, and notes their function codes in order. */
async function startSlowLine(toPort: number): Promise<{ readonly port: number; readonly functions: number[]; close(): void }> {
  const functions: number[] = [];
  const sockets = new Set<net.Socket>();
  const listener = net.createServer((near) => {
    const far = net.connect(toPort, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => (socket === near ? far : near).destroy());
    }
    near.on('data', (data) => {
      functions.push(data.readUInt8(7)); // one request at a time
      void systemClock.sleep(10).then(() => far.write(data));
    });
    far.pipe(near);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  };
  return { port: (listener.address() as net.AddressInfo).port, functions, close };
}

const MODBUS_TAGS = [
  { tag_name: 'switch', register_type: 'coil', address: 1, writable: true },
  { tag_name: 'setpoint', register_type: 'holding', address: 7, data_type: 'int16', scale: 0.1, writable: true },
  { tag_name: 'ratio', register_type: 'holding', address: 8, data_type: 'float32', byte_order: 'CDAB', writable: true },
  { tag_name: 'large', register_type: 'holding', address: 10, data_type: 'uint64', writable: true },
  { tag_name: 'bit', register_type: 'holding', address: 14, data_type: 'bool', bit: 9, writable: true },
  { tag_name: 'word', register_type: 'holding', address: 14, writable: true },
];

describe.for([
  ['libmodbus', { needs: 'libmodbus', create: libmodbus, transport: 'tcp' }],
  ['pymodbus', { needs: 'pymodbus', create: pymodbus, transport: 'tcp' }],
  ['pymodbus over UDP', { needs: 'pymodbus', create: () => pymodbus('udp'), transport: 'udp' }],
  ['pymodbus behind a gateway', { needs: 'pymodbus', create: () => pymodbus('rtu_over_tcp'), transport: 'rtu_over_tcp' }],
] as const)('%s', async ([title, { needs, create, transport }]) => {
  const left = await leaveOut(needs);
  const name = title.replaceAll(' ', '-');

  describe.skipIf(left)('writes', () => {
    let peer: Peer;

    beforeAll(async () => {
      peer = await create();
      await peer.start();
      const config = { host: '127.0.0.1', port: peer.port, transport, polling_interval_ms: 200, timeout_ms: TIMEOUT_MS };
      await house.add(
        name,
        'modbus',
        config,
        MODBUS_TAGS.map((tag) => ({ ...tag, tag_name: `${name} ${tag.tag_name}` })),
      );
    });

    afterAll(() => peer?.kill());

    const write = (tag: string, value: Scalar) => house.write(name, `${name} ${tag}`, value);

    test('coil, register, float and 64 bits are written, confirmed, and seen by the twins', async () => {
      for (const [tag, value] of [
        ['switch', true],
        ['setpoint', -12.5],
        ['ratio', -0.25],
        ['large', 2n ** 63n + 1n],
      ] as const) {
        expect(await write(tag, value)).toMatchObject({ ok: true, value });
        await house.sees(`${name} ${tag}`, typeof value === 'boolean' ? Number(value) : value);
      }
      const read = await house.supervisor.readNow([{ sourceId: name, assetId: name, tagName: `${name} setpoint` }], never);
      expect(read).toMatchObject([{ ok: true, reading: { value: -12.5, status: GOOD } }]);
    });

    test('one bit changes in its register, and no other', async () => {
      expect(await write('word', 0x0101)).toMatchObject({ ok: true });
      expect(await write('bit', true)).toMatchObject({ ok: true, value: true });
      await house.sees(`${name} word`, 0x0301);
      expect(await write('bit', false)).toMatchObject({ ok: true, value: false });
      await house.sees(`${name} word`, 0x0101);
    });

    test('a frozen server is a timeout or a lost link, within the deadline; then all is well again', async () => {
      peer.freeze();
      const startMs = performance.now();
      try {
        const outcome = await write('setpoint', 1);
        expect(outcome.ok).toBe(false);
        expect(['timeout', 'not_connected']).toContain(outcome.ok ? '' : outcome.code);
        figure(
          `${name} frozen: a write fails (${outcome.ok ? '' : outcome.code}) after ${Math.round(performance.now() - startMs)} ms (timeout_ms ${TIMEOUT_MS})`,
        );
        expect(house.supervisor.lastWrite(name, { assetId: name, tagName: `${name} setpoint` })?.outcome.ok).toBe(false);
      } finally {
        peer.thaw();
      }
      await eventually(async () => ((await write('setpoint', 2)).ok ? true : undefined), {
        what: 'a write succeeds',
        timeoutMs: 20_000,
        everyMs: 200,
      });
    });
  });
});

describe.skipIf(await leaveOut('libmodbus'))('libmodbus on a slow line', () => {
  let peer: Peer;
  let line: Awaited<ReturnType<typeof startSlowLine>>;

  beforeAll(async () => {
    peer = await libmodbus();
    await peer.start();
    line = await startSlowLine(peer.port);
    const polled = Array.from({ length: 24 }, (_, address) => {
      return { tag_name: `r${address}`, register_type: 'holding', address, polling_interval_ms: 100 + address, writable: address === 7 };
    });
    await house.add('slow', 'modbus', { host: '127.0.0.1', port: line.port }, polled);
  });

  afterAll(async () => {
    line?.close();
    await peer?.kill();
  });

  test('a write goes before the polls that wait in line', async () => {
    for (let round = 1; round <= 5; round++) {
      const asked = line.functions.length;
      await eventually(() => (line.functions.length > asked + 10 ? true : undefined), { what: 'polls', timeoutMs: 5_000, everyMs: 1 });
      const before = line.functions.length;
      expect(await house.write('slow', 'r7', round)).toMatchObject({ ok: true, value: round });
      const position = line.functions.slice(before).indexOf(6);
      expect(position).toBeGreaterThanOrEqual(0);
      expect(position).toBeLessThanOrEqual(1);
      expect(line.functions[before + position + 1]).toBe(3);
    }
  });

  test('a register that the device does not have is refused in its words', async () => {
    const absent = { tag_name: 'absent', register_type: 'holding', address: 5_000, writable: true };
    await house.add('absent', 'modbus', { host: '127.0.0.1', port: peer.port }, [absent]);
    const outcome = await house.write('absent', 'absent', 1);
    expect(outcome).toMatchObject({ ok: false, code: 'write_refused', message: expect.stringContaining('illegal data address') });
  });
});

describe.skipIf(await leaveOut('open62541'))('open62541', () => {
  let peer: Peer;

  beforeAll(async () => {
    peer = await open62541();
    await peer.start();
    const config = {
      endpoint: `opc.tcp://127.0.0.1:${peer.port}`,
      security_mode: 'None',
      allow_insecure: true,
      subscription: { publishing_interval_ms: 100 },
    };
    const nodes = ['Double', 'Float', 'Counter', 'String'].map((name) => ({ tag_name: name, node_id: `ns=1;s=${name}`, writable: true }));
    await house.add('cell', 'opcua', config, nodes);
  });

  afterAll(() => peer?.kill());

  test('a write is confirmed and seen by the twins', async () => {
    expect(await house.write('cell', 'Double', 42.125)).toMatchObject({ ok: true, value: 42.125 });
    await house.sees('Double', 42.125);
  });

  test('a node without the right to write is refused by name, and what is no number is not sent', async () => {
    expect(await house.write('cell', 'Float', 1)).toMatchObject({
      ok: false,
      code: 'not_writable',
      message: expect.stringMatching(/BadNotWritable|BadUserAccessDenied/),
    });
    expect(await house.write('cell', 'Double', 'fast')).toMatchObject({ ok: false, code: 'invalid_value' });
    expect(await house.write('cell', 'Counter', -1)).toMatchObject({ ok: false, code: 'invalid_value' });
  });

  test('reading now is past the subscription', async () => {
    const tags = ['Counter', 'String'].map((tagName) => ({ sourceId: 'cell', assetId: 'cell', tagName }));
    expect(await house.supervisor.readNow(tags, never)).toMatchObject([
      { ok: true, reading: { value: expect.any(Number), status: GOOD } },
      { ok: true, reading: { value: 'grün', status: GOOD } },
    ]);
  });

  test('a frozen server is a timeout; then all is well again', async () => {
    peer.freeze();
    const startMs = performance.now();
    try {
      const outcome = await house.write('cell', 'Double', 1);
      expect(outcome).toMatchObject({ ok: false, code: expect.stringMatching(/timeout|not_connected/) });
      figure(`open62541 frozen: a write fails (${outcome.ok ? '' : outcome.code}) after ${Math.round(performance.now() - startMs)} ms`);
    } finally {
      peer.thaw();
    }
    await eventually(async () => ((await house.write('cell', 'Double', 2)).ok ? true : undefined), {
      what: 'a write succeeds',
      timeoutMs: 30_000,
      everyMs: 200,
    });
  });
});

describe.skipIf(await leaveOut('mosquitto'))('mosquitto', () => {
  let broker: Mosquitto;
  let device: MqttClient;

  beforeAll(async () => {
    broker = await Mosquitto.create();
    await broker.start();
    device = mqtt.connect(broker.url, { reconnectPeriod: 100 });
    device.on('error', () => undefined); // a broker that is away is what the test is about
    device.on('message', (topic, payload) => {
      if (topic === 'cmd/valve') device.publish('state/valve', JSON.stringify({ open: JSON.parse(payload.toString()).set }), { qos: 1 });
      if (topic === 'cmd/limited') device.publish('state/limited', String(Math.min(50, Number(payload.toString()))), { qos: 1 });
    });
    await device.subscribeAsync('cmd/#', { qos: 1 });
    const common = { writable: true, write_timeout_ms: 1_000 };
    await house.add('hall', 'mqtt', { broker_url: broker.url, keepalive_s: 1 }, [
      {
        ...common,
        tag_name: 'valve',
        topic: 'state/valve',
        json_path: '$.open',
        write_topic: 'cmd/valve',
        write_payload: '{"set":{value}}',
      },
      { ...common, tag_name: 'limited', topic: 'state/limited', write_topic: 'cmd/limited' },
      { ...common, tag_name: 'dead', topic: 'state/dead', write_topic: 'cmd/dead' },
    ]);
  });

  afterAll(async () => {
    await device?.endAsync(true);
    await broker?.dispose();
  });

  test('a command is confirmed by the device, and seen by the twins', async () => {
    expect(await house.write('hall', 'valve', true)).toMatchObject({ ok: true, value: true });
    await house.sees('valve', 1);
  });

  test('a device that says otherwise, or nothing, has not confirmed; reading now cannot be', async () => {
    expect(await house.write('hall', 'limited', 80)).toMatchObject({ ok: false, code: 'write_not_confirmed', reported: { value: 50 } });
    expect(await house.write('hall', 'dead', 1)).toMatchObject({ ok: false, code: 'timeout' });
    const read = await house.supervisor.readNow([{ sourceId: 'hall', assetId: 'hall', tagName: 'valve' }], never);
    expect(read).toMatchObject([{ ok: false, code: 'not_supported' }]);
  });

  test('a frozen broker is a timeout or a lost link; then all is well again', async () => {
    broker.freeze();
    const startMs = performance.now();
    try {
      const outcome = await house.write('hall', 'valve', false);
      expect(outcome).toMatchObject({ ok: false, code: expect.stringMatching(/timeout|not_connected/) });
      figure(`mosquitto frozen: a write fails (${outcome.ok ? '' : outcome.code}) after ${Math.round(performance.now() - startMs)} ms`);
    } finally {
      broker.thaw();
    }
    await eventually(async () => ((await house.write('hall', 'valve', false)).ok ? true : undefined), {
      what: 'a write succeeds',
      timeoutMs: 30_000,
      everyMs: 200,
    });
  });
});
