/** The driver against a server in this process: values, bad nodes, lost links, security. */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coerceInt64, DataType, OPCUACertificateManager, StatusCodes, VariantArrayType } from 'node-opcua';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import { type GatewayError, isGatewayError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/log.ts';
import { BAD_NODE_ID_UNKNOWN, BAD_NOT_SUPPORTED, GOOD } from '../../../src/core/status.ts';
import type { Driver, LinkReport } from '../../../src/drivers/driver.ts';
import { createDriver } from '../../../src/drivers/opcua/driver.ts';
import { configSchema, type OpcuaTagInput, tagSchema } from '../../../src/drivers/opcua/options.ts';
import { startCable, startTestServer, TEST_NAMESPACE, type TestServer } from '../../support/opcua-server.ts';
import { type RecordingEmit, recordingEmit } from '../../support/recording-emit.ts';

const NAMESPACE = TEST_NAMESPACE.replaceAll('%', '%25').replaceAll(';', '%3B');
const SOURCE_MS = Date.UTC(2026, 0, 6, 10, 0, 0, 123);
const INSECURE = { security_mode: 'None', allow_insecure: true } as const;

let folder: string;
let server: TestServer;
const ended = new AbortController();
const running = new Set<() => Promise<void>>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-opcua-'));
  server = await startTestServer({ stateDir: join(folder, 'server') });
  addValues(server, ended.signal);
}, 60_000);

afterEach(async () => {
  for (const stop of running) await stop();
});

afterAll(async () => {
  ended.abort();
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** One variable of each kind, all with the same source time, and a counter that moves every 100 ms until the signal aborts. */
function addValues(to: TestServer, signal: AbortSignal): void {
  const fixed = (name: string, type: keyof typeof DataType, value: unknown, statusCode = StatusCodes.Good) => {
    const arrayType = name === 'array' ? VariantArrayType.Array : VariantArrayType.Scalar;
    to.add(name, { value: { dataType: DataType[type], arrayType, value }, statusCode, timeMs: SOURCE_MS });
  };
  fixed('double', 'Double', 12.5);
  fixed('float', 'Float', Math.fround(0.1));
  fixed('int64', 'Int64', coerceInt64('-9007199254740993'));
  fixed('boolean', 'Boolean', true);
  fixed('string', 'String', 'welding');
  fixed('array', 'Double', [1, 2]);
  fixed('long', 'String', 'x'.repeat(1_025));
  fixed('uncertain', 'Double', 7, StatusCodes.UncertainLastUsableValue);
  fixed('broken', 'Double', 8, StatusCodes.BadSensorFailure);
  let count = 0;
  const next = () => ({ value: { dataType: DataType.UInt32, value: ++count }, timeMs: systemClock.now() });
  const { set } = to.add('counter', next());
  const timer = setInterval(() => set(next()), 100);
  signal.addEventListener('abort', () => clearInterval(timer));
}

function tag(name: string, more: Partial<OpcuaTagInput> = {}): OpcuaTagInput {
  return { tag_name: name, node_id: `nsu=${NAMESPACE};s=${name}`, sampling_interval_ms: 0, ...more };
}

interface Rig {
  readonly driver: Driver;
  readonly recording: RecordingEmit;
  readonly reports: LinkReport[];
  readonly signal: AbortSignal;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** From now on the driver waits a twentieth of what it means to. */
  hurry(): void;
}

function rig(config: object, tags: readonly OpcuaTagInput[], stateDir = join(folder, 'client')): Rig {
  const reports: LinkReport[] = [];
  const stopping = new AbortController();
  let haste = 1;
  const clock: Clock = { ...systemClock, sleep: (durationMs, signal) => systemClock.sleep(durationMs / haste, signal) };
  const hurry = () => {
    haste = 20;
  };
  const driver = createDriver(
    {
      sourceId: 'cell',
      config: configSchema.parse({ endpoint: server.endpointUrl, subscription: { publishing_interval_ms: 50 }, ...config }),
      tags: tags.map((it) => tagSchema.parse(it)),
    },
    { log: silentLog, clock, stateDir, report: (link) => reports.push(link) },
  );
  const recording = recordingEmit();
  const stop = async () => {
    running.delete(stop);
    stopping.abort();
    await driver.close();
  };
  running.add(stop);
  return { driver, recording, reports, signal: stopping.signal, stop, hurry, start: () => driver.run(recording.emit, stopping.signal) };
}

async function until(what: string, holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  while (!holds()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await systemClock.sleep(10);
  }
}

async function failure(work: Promise<unknown>): Promise<GatewayError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!isGatewayError(error)) throw new Error(`expected a GatewayError, not ${String(error)}`);
  return error;
}

const ref = (tagName: string) => ({ assetId: 'cell', tagName });
const newest = (recording: RecordingEmit, name: string) => recording.readings.findLast((reading) => reading.tag === name);
/** Sorted and without repetitions: what a run begins with comes again over the subscription. */
const values = (recording: RecordingEmit, name: string) =>
  [...new Set(recording.readings.filter((it) => it.tag === name).map((it) => it.value as number))].sort((a, b) => a - b);

describe('values over a subscription', () => {
  it('come with their type, source time and status, and a changing one keeps coming', async () => {
    const good = ['double', 'float', 'int64', 'boolean', 'string', 'uncertain'];
    const { driver, recording, reports, signal, start } = rig(
      INSECURE,
      [...good, 'counter'].map((name) => tag(name, { asset_id: 'robot-3' })),
    );
    await driver.connect(signal);
    const run = start();
    await until('five values of the counter', () => values(recording, 'counter').length >= 5);
    const seen = good.map((name) => recording.readings.find((it) => it.tag === name));
    expect(seen.map((it) => it?.value)).toEqual([12.5, Math.fround(0.1), -9_007_199_254_740_993n, true, 'welding', 7]);
    expect(new Set(seen.map((it) => it?.timeMs))).toEqual(new Set([SOURCE_MS]));
    expect(seen.map((it) => it?.status)).toEqual([0, 0, 0, 0, 0, StatusCodes.UncertainLastUsableValue.value]);
    expect(good.map((name) => recording.tags.get(`robot-3/${name}`)?.valueType)).toEqual(['f64', 'f32', 'i64', 'bool', 'string', 'f64']);
    expect(reports.at(-1)).toEqual({ tagsFailed: 0 });
    for (const stop of running) await stop();
    await expect(run).resolves.toBeUndefined();
  });

  it('that cannot be taken make their tag bad, and the rest goes on', async () => {
    const { driver, recording, reports, signal, start } = rig(INSECURE, [
      tag('double'),
      tag('no-such-node'),
      tag('array'),
      tag('broken'),
      tag('long'),
      tag('elsewhere', { node_id: 'nsu=urn:nowhere;s=x' }),
    ]);
    await driver.connect(signal);
    void start();
    await until('all of them', () => recording.readings.length >= 5 && recording.rejected.length > 0);
    expect(newest(recording, 'double')?.value).toBe(12.5);
    const missing = ['no-such-node', 'array', 'broken', 'elsewhere'].map((name) => newest(recording, name));
    expect(missing.map((it) => it?.value)).toEqual([null, null, null, null]);
    expect(missing.map((it) => it?.status)).toEqual([
      BAD_NODE_ID_UNKNOWN,
      BAD_NOT_SUPPORTED,
      StatusCodes.BadSensorFailure.value,
      BAD_NODE_ID_UNKNOWN,
    ]);
    expect(new Set(recording.rejected)).toEqual(new Set(['too_long']));
    await until('the report', () => reports.at(-1)?.tagsFailed === 4);
    expect(reports.at(-1)?.reason).toContain('no-such-node BadNodeIdUnknown');
    expect(reports.at(-1)?.reason).toContain('urn:nowhere');
  });

  it('wait at the server while the ring is full, and none is lost', async () => {
    const { driver, recording, signal, start } = rig(INSECURE, [tag('counter')]);
    await driver.connect(signal);
    void start();
    await until('the first value', () => recording.readings.length > 0);
    recording.hasRoom = false;
    await systemClock.sleep(100); // what was on its way arrives
    const held = recording.readings.length;
    await systemClock.sleep(1_000);
    expect(recording.readings).toHaveLength(held);
    recording.makeRoom();
    await until('what was held', () => recording.readings.length > held + 15);
    const counted = values(recording, 'counter');
    expect(counted).toEqual(counted.map((_, index) => (counted[0] ?? 0) + index));
  });
});

describe('reading now', () => {
  it('asks the device, and one bad node gives one bad reading', async () => {
    const { driver, signal } = rig(INSECURE, [tag('double'), tag('int64'), tag('no-such-node'), tag('counter')]);
    await driver.connect(signal);
    const readings = await driver.readNow?.(['double', 'int64', 'no-such-node'].map(ref), signal);
    expect(readings).toEqual([
      { tagName: 'double', assetId: 'cell', value: 12.5, status: GOOD, timeMs: SOURCE_MS },
      { tagName: 'int64', assetId: 'cell', value: -9_007_199_254_740_993n, status: GOOD, timeMs: SOURCE_MS },
      { tagName: 'no-such-node', assetId: 'cell', value: null, status: BAD_NODE_ID_UNKNOWN, timeMs: undefined },
    ]);
  });

  it('leaves what the server said to be looked at: type, value before scaling, status and both times', async () => {
    const { driver, signal, start } = rig(INSECURE, [{ ...tag('double'), scale: 2 }, tag('int64'), tag('no-such-node')]);
    expect(driver.raw?.(ref('double'))).toBeUndefined();
    await driver.connect(signal);
    void start();
    await until('the first values', () => driver.raw?.(ref('double')) !== undefined && driver.raw(ref('int64')) !== undefined);
    const times = { readMs: null, sourceMs: SOURCE_MS, serverMs: expect.any(Number) };
    expect(driver.raw?.(ref('double'))).toEqual({ words: { data_type: 'Double', value: 12.5, status: '0x00000000' }, ...times });
    expect(driver.raw?.(ref('int64'))?.words).toEqual({ data_type: 'Int64', value: '-9007199254740993', status: '0x00000000' });
    expect(driver.raw?.(ref('no-such-node'))).toBeUndefined();
  });

  it('is refused before connect and after close', async () => {
    const { driver, signal } = rig(INSECURE, [tag('double')]);
    expect((await failure(driver.readNow?.(['double'].map(ref), signal) ?? Promise.resolve())).code).toBe('not_connected');
    await driver.connect(signal);
    await driver.close();
    await driver.close();
    expect((await failure(driver.readNow?.(['double'].map(ref), signal) ?? Promise.resolve())).code).toBe('not_connected');
  });
});

describe('a value that has not changed for long', () => {
  it('is said once more at the present time of the server when a run begins, for the newest sample may tell of a lost link', async () => {
    const { driver, recording, signal, start } = rig(INSECURE, [tag('double')]);
    await driver.connect(signal);
    void start();
    await until('both', () => recording.readings.length >= 2);
    const [before, now] = recording.readings.map(({ value, timeMs }) => ({ value, timeMs }));
    expect(before).toEqual({ value: 12.5, timeMs: SOURCE_MS });
    expect(now?.value).toBe(12.5);
    expect(Math.abs((now?.timeMs ?? 0) - Date.now())).toBeLessThan(10_000);
  });
});

describe('a lost link', () => {
  it('to a server that goes ends the run, and the next one finds the nodes where the namespace is now', async () => {
    const first = await startTestServer({ stateDir: join(folder, 'server') });
    addValues(first, ended.signal);
    const { driver, recording, signal, start } = rig({ ...INSECURE, endpoint: first.endpointUrl }, [tag('counter')]);
    await driver.connect(signal);
    const run = failure(start());
    await until('a value', () => recording.readings.length > 0);
    await first.close();
    const lost = await run;
    expect([lost.code, lost.message]).toEqual(['not_connected', expect.stringContaining(first.endpointUrl)]);
    const refused = await failure(driver.connect(signal));
    expect([refused.code, refused.message]).toEqual(['not_connected', expect.stringContaining(first.endpointUrl)]);

    const second = await startTestServer({ stateDir: join(folder, 'server'), port: first.port, otherNamespaces: ['urn:new'] });
    addValues(second, ended.signal);
    await driver.connect(signal);
    recording.readings.length = 0;
    const again = start();
    await until('a value of the second', () => values(recording, 'counter').length > 2);
    for (const stop of running) await stop();
    await again;
    await second.close();
  });

  it('that breaks for a moment loses nothing: the subscription is taken over', async () => {
    const cable = await startCable(server.port);
    const { driver, recording, signal, start } = rig({ ...INSECURE, endpoint: `opc.tcp://127.0.0.1:${cable.port}` }, [
      tag('counter'),
      tag('double'),
    ]);
    await driver.connect(signal);
    const run = failure(start());
    await until('a few values', () => values(recording, 'counter').length > 3);
    cable.cut();
    expect((await run).code).toBe('not_connected');
    await systemClock.sleep(500);
    cable.mend();
    await driver.connect(signal);
    void start();
    const before = values(recording, 'counter').length;
    await until('values after the break', () => values(recording, 'counter').length > before + 15);
    const counted = values(recording, 'counter');
    expect(counted).toEqual(counted.map((_, index) => (counted[0] ?? 0) + index));
    for (const stop of running) await stop();
    await cable.close();
  });

  it('to a node that goes makes its tag bad until the node is there again, and the source goes on', async () => {
    const passing = (value: number) => ({ value: { dataType: DataType.Double, value }, timeMs: SOURCE_MS + value });
    const { node } = server.add('passing', passing(1));
    const { driver, recording, reports, signal, start, hurry } = rig(INSECURE, [tag('passing'), tag('counter')]);
    await driver.connect(signal);
    hurry();
    void start();
    await until('its value', () => newest(recording, 'passing')?.value === 1);
    server.remove(node);
    await until('its end', () => newest(recording, 'passing')?.value === null);
    await until('the report', () => reports.at(-1)?.tagsFailed === 1);
    server.add('passing', passing(2));
    await until('its return', () => newest(recording, 'passing')?.value === 2);
    await until('the report', () => reports.at(-1)?.tagsFailed === 0);
  });
});

describe('connecting', () => {
  it('to a host that accepts and says nothing ends when it is told to, and by itself within ten seconds', async () => {
    const mute = net.createServer((socket) => socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    const { port } = mute.address() as net.AddressInfo;
    const endpoint = `opc.tcp://127.0.0.1:${port}`;
    const { driver, hurry } = rig({ ...INSECURE, endpoint }, [tag('double')]);
    const startMs = systemClock.monotonicMs();
    expect((await failure(driver.connect(AbortSignal.timeout(300)))).code).toBe('not_connected');
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(5_000);
    hurry();
    const error = await failure(driver.connect(new AbortController().signal));
    expect([error.code, error.message]).toEqual(['not_connected', expect.stringContaining(endpoint)]);
    expect(error.message).toContain('within 10 s');
    await driver.close();
    await driver.close();
    await new Promise((resolve) => mute.close(resolve)); // only when every connection has ended
  });

  it('with a mode that the server does not offer says what it offers', async () => {
    const { driver, signal } = rig({ security_policy: 'Aes256_Sha256_RsaPss' }, [tag('double')]);
    const error = await failure(driver.connect(signal));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toContain('SignAndEncrypt Basic256Sha256');
  });

  it('with security refuses a server that nobody has trusted, and takes it once its certificate is moved', async () => {
    const stateDir = join(folder, 'cautious');
    const { driver, recording, signal, start } = rig({}, [tag('double')], stateDir);
    const error = await failure(driver.connect(signal));
    expect(error.code).toBe('authentication_failed');
    expect(error.message).toContain(join(stateDir, 'rejected'));
    expect(error.message).toContain(join(stateDir, 'trusted', 'certs'));
    const [rejected, ...others] = await readdir(join(stateDir, 'rejected'));
    expect(others).toEqual([]);
    await rename(join(stateDir, 'rejected', rejected ?? ''), join(stateDir, 'trusted', 'certs', rejected ?? ''));
    await driver.connect(signal);
    void start();
    await until('a value over an encrypted channel', () => newest(recording, 'double')?.value === 12.5);
  });

  it('as a user takes the right password and refuses a wrong one', async () => {
    const guarded = await startTestServer({ stateDir: join(folder, 'guarded'), users: { box: 'right' } });
    addValues(guarded, ended.signal);
    const login = (password: string) => ({
      ...INSECURE,
      endpoint: guarded.endpointUrl,
      authentication: { type: 'username_password', username: 'box', password },
    });
    const wrong = rig(login('wrong'), [tag('double')]);
    const error = await failure(wrong.driver.connect(wrong.signal));
    expect(error.code).toBe('authentication_failed');
    expect(error.message).not.toContain('wrong');
    const nobody = rig({ ...INSECURE, endpoint: guarded.endpointUrl }, [tag('double')]);
    expect((await failure(nobody.driver.connect(nobody.signal))).code).toBe('authentication_failed');
    const right = rig(login('right'), [tag('double')]);
    await right.driver.connect(right.signal);
    expect((await right.driver.readNow?.(['double'].map(ref), right.signal))?.[0]?.value).toBe(12.5);
    expect(await right.driver.identify?.(right.signal)).toEqual({
      application_uri: 'urn:twinbox:test-server',
      product: 'NodeOPCUA-Server',
      manufacturer: expect.stringContaining('NodeOPCUA'),
      software_version: expect.stringMatching(/^\d/),
      security_mode: 'None',
    });
    for (const stop of running) await stop();
    await guarded.close();
  });

  it('as the holder of a certificate proves it, and says which file is wrong', async () => {
    const own = new OPCUACertificateManager({ rootFolder: join(folder, 'person'), disableFileWatchers: true });
    await own.initialize();
    const certificate_file = join(folder, 'person', 'person.pem');
    await own.createSelfSignedCertificate({
      applicationUri: 'urn:person',
      dns: [],
      subject: '/CN=person',
      startDate: new Date(),
      validity: 1,
      outputFile: certificate_file,
    });
    const login = (private_key_file: string) =>
      rig({ ...INSECURE, authentication: { type: 'certificate', certificate_file, private_key_file } }, [tag('double')]);
    const good = login(own.privateKey);
    await good.driver.connect(good.signal);
    expect((await good.driver.readNow?.(['double'].map(ref), good.signal))?.[0]?.value).toBe(12.5);
    const wrong = login(certificate_file);
    const error = await failure(wrong.driver.connect(wrong.signal));
    expect([error.code, error.message]).toEqual(['config_invalid', expect.stringContaining('authentication.private_key_file')]);
    await own.dispose();
  });
});
