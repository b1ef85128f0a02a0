/** Writing to a server in this process: the node's own type, read back; refusals, lost answers, servers that do as they like. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AccessLevelFlag,
  DataType,
  type DataValue,
  type StatusCode,
  StatusCodes,
  type UAVariable,
  Variant,
  VariantArrayType,
} from 'node-opcua';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import { isGatewayError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/log.ts';
import { GOOD } from '../../../src/core/status.ts';
import type { Scalar } from '../../../src/core/tag.ts';
import type { Driver } from '../../../src/drivers/driver.ts';
import { createDriver } from '../../../src/drivers/opcua/driver.ts';
import { configSchema, type OpcuaTagInput, tagSchema } from '../../../src/drivers/opcua/options.ts';
import { startTestServer, TEST_NAMESPACE, type TestServer } from '../../support/opcua-server.ts';
import { type RecordingEmit, recordingEmit } from '../../support/recording-emit.ts';

const NAMESPACE = TEST_NAMESPACE.replaceAll('%', '%25').replaceAll(';', '%3B');
const never = new AbortController().signal;

let folder: string;
let server: TestServer;
const nodes = new Map<string, UAVariable>();
const closers: (() => Promise<void>)[] = [];

const FIRST: Readonly<Record<string, readonly [keyof typeof DataType, unknown]>> = {
  SByte: ['SByte', 0],
  Byte: ['Byte', 0],
  Int16: ['Int16', 0],
  UInt16: ['UInt16', 0],
  Int32: ['Int32', 0],
  UInt32: ['UInt32', 0],
  Int64: ['Int64', [0, 0]],
  UInt64: ['UInt64', [0, 0]],
  Float: ['Float', 0],
  Double: ['Double', 0],
  Boolean: ['Boolean', false],
  String: ['String', ''],
  LocalizedText: ['LocalizedText', { text: '' }],
  DateTime: ['DateTime', new Date(0)],
  Guid: ['Guid', '00000000-0000-0000-0000-000000000000'],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-opcua-write-'));
  server = await startTestServer({ stateDir: join(folder, 'server') });
  for (const [name, [type, value]] of Object.entries(FIRST)) add(name, type, value);
  add('array', 'Double', [1, 2]);
  add('clamped', 'Double', 0);
  add('stubborn', 'Double', 18);
  add('slow', 'Double', 0);
}, 60_000);

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

function add(name: string, type: keyof typeof DataType, value: unknown): void {
  const arrayType = name === 'array' ? VariantArrayType.Array : VariantArrayType.Scalar;
  const { node } = server.add(name, { value: { dataType: DataType[type], arrayType, value }, timeMs: systemClock.now() });
  nodes.set(name, node);
}

function nodeOf(name: string): UAVariable {
  const node = nodes.get(name);
  if (!node) throw new Error(`no node ${name}`);
  return node;
}

/** Replaces what the server does with a write; what it gives undoes that. */
function onWrite(name: string, act: (value: DataValue) => StatusCode | undefined): () => void {
  const node = nodeOf(name);
  const before = node.writeAttribute;
  const replaced = (_context: unknown, { value }: { value: DataValue }, done: (error: null, status: StatusCode) => void) => {
    const status = act(value);
    if (status) done(null, status); // else the answer is lost
  };
  node.writeAttribute = replaced as unknown as typeof before;
  return () => {
    node.writeAttribute = before;
  };
}

interface Rig {
  readonly driver: Driver;
  readonly recording: RecordingEmit;
  write(tag: string, value: Scalar, signal?: AbortSignal): ReturnType<NonNullable<Driver['write']>>;
}

async function rig(tags: readonly (Partial<OpcuaTagInput> & { readonly tag_name: string })[], haste = 1): Promise<Rig> {
  const stopping = new AbortController();
  const clock: Clock = { ...systemClock, sleep: (durationMs, signal) => systemClock.sleep(durationMs / haste, signal) };
  const config = {
    endpoint: server.endpointUrl,
    security_mode: 'None',
    allow_insecure: true,
    subscription: { publishing_interval_ms: 50 },
  };
  const driver = createDriver(
    {
      sourceId: 'cell',
      config: configSchema.parse(config),
      tags: tags.map((tag) => tagSchema.parse({ node_id: `nsu=${NAMESPACE};s=${tag.tag_name}`, writable: true, ...tag })),
    },
    { log: silentLog, clock, stateDir: join(folder, 'client'), report: () => {} },
  );
  const recording = recordingEmit();
  await driver.connect(stopping.signal);
  const ended = driver.run(recording.emit, stopping.signal);
  closers.push(async () => {
    stopping.abort();
    await ended;
    await driver.close();
  });
  return {
    driver,
    recording,
    write: (tagName, value, signal = never) => {
      if (!driver.write) throw new Error('the driver cannot write');
      return driver.write({ assetId: 'cell', tagName }, value, signal);
    },
  };
}

async function failure(work: Promise<unknown>): Promise<readonly [string, string]> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!isGatewayError(error)) throw new Error(`expected a GatewayError, not ${String(error)}`);
  return [error.code, error.message];
}

describe('a write', () => {
  it('goes in the type of the node, to both ends of each, and is read back', async () => {
    const values: Readonly<Record<string, readonly Scalar[]>> = {
      SByte: [-128, 127],
      Byte: [0, 255],
      Int16: [-32_768, 32_767],
      UInt16: [0, 65_535],
      Int32: [-2_147_483_648, 2_147_483_647],
      UInt32: [0, 4_294_967_295],
      Int64: [-(2n ** 63n), 2n ** 63n - 1n, -1, 2n ** 53n + 1n],
      UInt64: [2n ** 64n - 1n, 7],
      Float: [-0.25, Math.fround(3.4e38)],
      Double: [Math.PI, -1e308],
      Boolean: [true, false],
      String: ['grün', ''],
      LocalizedText: ['Grüße'],
      DateTime: ['2026-01-06T10:00:00.123Z'],
    };
    const { write } = await rig(Object.keys(values).map((tag_name) => ({ tag_name })));
    for (const [name, list] of Object.entries(values)) {
      for (const value of list) {
        const { reading, confirmed } = await write(name, value);
        expect([name, confirmed, reading.value, reading.status]).toEqual([name, true, value, GOOD]);
        expect(DataType[nodeOf(name).readValue().value.dataType]).toBe(name);
      }
    }
  });

  it('of what the type does not hold sends nothing and names the limit', async () => {
    const { write } = await rig(Object.keys(FIRST).map((tag_name) => ({ tag_name })));
    expect(await failure(write('Byte', 256))).toEqual(['invalid_value', '256 is above the largest Byte, 255']);
    expect(await failure(write('SByte', -129))).toEqual(['invalid_value', '-129 is below the smallest SByte, -128']);
    expect(await failure(write('Int32', 1.5))).toEqual(['invalid_value', expect.stringContaining('1 and 2')]);
    expect(await failure(write('UInt64', 2n ** 64n))).toEqual(['invalid_value', expect.stringContaining('largest UInt64')]);
    expect((await failure(write('Float', 1e39)))[0]).toBe('invalid_value');
    expect((await failure(write('Double', 'fast')))[0]).toBe('invalid_value');
    expect((await failure(write('Boolean', 2)))[0]).toBe('invalid_value');
    expect((await failure(write('String', 1)))[0]).toBe('invalid_value');
    expect(await failure(write('DateTime', 'tomorrow'))).toEqual(['invalid_value', expect.stringContaining('"tomorrow" is no time')]);
    expect(await failure(write('Guid', 'x'))).toEqual(['not_supported', expect.stringContaining('Guid')]);
  });

  it('undoes scale and offset, and the door hears the raw value', async () => {
    const { write, recording } = await rig([{ tag_name: 'Int16', scale: 0.1, offset: -40, write_max: 80 }]);
    expect(await write('Int16', 21.5)).toMatchObject({ confirmed: true, reading: { value: expect.closeTo(21.5, 9) } });
    expect(nodeOf('Int16').readValue().value.value).toBe(615);
    expect(recording.readings.at(-1)).toMatchObject({ tag: 'Int16', value: 615 });
    expect(await failure(write('Int16', 81))).toEqual(['invalid_value', '81 is above write_max, 80']);
  });

  it('needs writable: true, a tag, and a single value', async () => {
    const { write } = await rig([{ tag_name: 'Double', writable: false }, { tag_name: 'array' }]);
    expect((await failure(write('Double', 1)))[0]).toBe('not_writable');
    expect((await failure(write('nobody', 1)))[0]).toBe('unknown_tag');
    expect(await failure(write('array', 1))).toEqual(['not_supported', expect.stringContaining('array')]);
  });

  it('asks for the type of a node once', async () => {
    const { write } = await rig([{ tag_name: 'Double' }]);
    let asked = 0;
    const node = nodeOf('Double');
    const readAttribute = node.readAttribute.bind(node);
    node.readAttribute = (context, attribute, ...rest) => {
      if (attribute === 14) asked++; // DataType
      return readAttribute(context, attribute, ...rest);
    };
    try {
      for (const value of [1, 2, 3]) await write('Double', value);
    } finally {
      node.readAttribute = readAttribute;
    }
    expect(asked).toBe(1);
  });
});

describe('a server that', () => {
  it('keeps the node read-only, or has it no more, says so', async () => {
    const { write } = await rig([{ tag_name: 'UInt16' }, { tag_name: 'gone' }, { tag_name: 'far', node_id: 'nsu=urn:nobody;s=x' }]);
    const node = nodeOf('UInt16');
    node.userAccessLevel = AccessLevelFlag.CurrentRead;
    expect(await failure(write('UInt16', 1))).toEqual(['not_writable', expect.stringContaining('BadUserAccessDenied')]);
    node.accessLevel = AccessLevelFlag.CurrentRead;
    expect(await failure(write('UInt16', 1))).toEqual(['not_writable', expect.stringContaining('BadNotWritable')]);
    expect(await failure(write('gone', 1))).toEqual(['write_refused', expect.stringContaining('BadNodeIdUnknown')]);
    expect(await failure(write('far', 1))).toEqual(['write_refused', expect.stringContaining('namespace')]);
  });

  it.each([
    [StatusCodes.BadOutOfRange, 'write_refused'],
    [StatusCodes.BadTypeMismatch, 'write_refused'],
    [StatusCodes.BadInvalidState, 'write_refused'],
    [StatusCodes.BadTimeout, 'timeout'],
    [StatusCodes.BadNoCommunication, 'not_connected'],
    [StatusCodes.BadWriteNotSupported, 'not_supported'],
  ])('refuses with %s', async (status, code) => {
    const { write } = await rig([{ tag_name: 'UInt32' }]);
    const restore = onWrite('UInt32', () => status);
    expect(await failure(write('UInt32', 1))).toEqual([code, expect.stringContaining(status.name)]);
    restore();
  });

  it('clamps or ignores what is written is not believed, and the twins hear what is so', async () => {
    onWrite('clamped', ({ value }) => {
      nodeOf('clamped').setValueFromSource(new Variant({ dataType: DataType.Double, value: Math.min(25, value.value) }));
      return StatusCodes.GoodClamped;
    });
    onWrite('stubborn', () => StatusCodes.Good);
    const { write, recording } = await rig([{ tag_name: 'clamped' }, { tag_name: 'stubborn' }]);
    expect(await write('clamped', 30)).toMatchObject({ confirmed: false, reading: { value: 25 } });
    expect(recording.readings.findLast(({ tag }) => tag === 'clamped')?.value).toBe(25);
    expect(await write('stubborn', 30)).toMatchObject({ confirmed: false, reading: { value: 18 } });
    expect(await write('clamped', 20)).toMatchObject({ confirmed: true, reading: { value: 20 } });
  });

  it('shows the value some cycles later is waited for', async () => {
    let writes = 0;
    onWrite('slow', ({ value }) => {
      writes++;
      void systemClock.sleep(120).then(() => nodeOf('slow').setValueFromSource(value));
      return StatusCodes.Good;
    });
    const { write } = await rig([{ tag_name: 'slow' }]);
    expect(await write('slow', 3)).toMatchObject({ confirmed: true, reading: { value: 3 } });
    expect(writes).toBe(1);
  });

  it('never answers the write has done it all the same when the node shows it; else it is a timeout', async () => {
    const { write } = await rig([{ tag_name: 'Double' }], 25);
    const done = onWrite('Double', ({ value }) => {
      nodeOf('Double').setValueFromSource(value);
      return undefined;
    });
    expect(await write('Double', 77)).toMatchObject({ confirmed: true, reading: { value: 77 } });
    done();
    const nothing = onWrite('Double', () => undefined);
    expect((await failure(write('Double', 78)))[0]).toBe('timeout');
    const withdrawn = new AbortController();
    const writing = failure(write('Double', 79, withdrawn.signal));
    withdrawn.abort(new Error('no more wanted'));
    expect((await writing)[0]).toBe('not_connected');
    nothing();
  });
});

it('a driver that is closed refuses', async () => {
  const { write } = await rig([{ tag_name: 'Double' }]);
  for (const close of closers.splice(0)) await close();
  expect((await failure(write('Double', 1)))[0]).toBe('not_connected');
});
