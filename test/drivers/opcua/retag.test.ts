/** Tags that change while a server publishes: the subscription stays, and what stays as it is loses no value. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataType } from 'node-opcua';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import { BAD_NODE_ID_UNKNOWN, GOOD } from '../../../src/core/status.ts';
import type { LinkReport, TagRef } from '../../../src/drivers/driver.ts';
import { createDriver } from '../../../src/drivers/opcua/driver.ts';
import { configSchema, type OpcuaTagInput, tagSchema } from '../../../src/drivers/opcua/options.ts';
import { startTestServer, TEST_NAMESPACE, type TestServer, type TestValue } from '../../support/opcua-server.ts';
import { recordingEmit } from '../../support/recording-emit.ts';

const NAMESPACE = TEST_NAMESPACE.replaceAll('%', '%25').replaceAll(';', '%3B');
const signal = new AbortController().signal;

let folder: string;
let server: TestServer;
let stop: () => Promise<void> = async () => undefined;
const set = new Map<string, (value: TestValue) => void>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-opcua-retag-'));
  server = await startTestServer({ stateDir: join(folder, 'server') });
  for (const name of ['a', 'b', 'c']) set.set(name, server.add(name, standing(0)).set);
}, 60_000);

afterEach(() => stop());

afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

function standing(value: number): TestValue {
  return { value: { dataType: DataType.Double, value }, timeMs: systemClock.now() };
}

function tag(tag_name: string, node: string, more: Partial<OpcuaTagInput> = {}): OpcuaTagInput {
  return { tag_name, node_id: `nsu=${NAMESPACE};s=${node}`, sampling_interval_ms: 0, queue_size: 100, ...more };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 10_000;
  while (!holds()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`waited in vain for ${what}`);
    await systemClock.sleep(10);
  }
}

async function begin(...tags: OpcuaTagInput[]) {
  const reports: LinkReport[] = [];
  const stopping = new AbortController();
  const parsed = (some: readonly OpcuaTagInput[]) => some.map((one) => tagSchema.parse(one));
  const config = {
    endpoint: server.endpointUrl,
    security_mode: 'None',
    allow_insecure: true,
    subscription: { publishing_interval_ms: 50 },
  };
  const driver = createDriver(
    { sourceId: 'cell', config: configSchema.parse(config), tags: parsed(tags) },
    { log: silentLog, clock: systemClock, stateDir: join(folder, 'client'), report: (link) => reports.push(link) },
  );
  const { emit, readings, rejected } = recordingEmit();
  await driver.connect(stopping.signal);
  const ended = driver.run(emit, stopping.signal);
  stop = async () => {
    stopping.abort();
    await ended;
    await driver.close();
  };
  await until('the subscription', () => reports.length > 0);
  const valuesOf = (name: string) => readings.flatMap((one) => (one.tag === name ? [one.value] : []));
  const retag = async (...changed: OpcuaTagInput[]) => {
    const told: ((ref: TagRef) => boolean)[] = [];
    await driver.retag?.(parsed(changed), (goesOn) => told.push(goesOn), signal);
    expect(told).toHaveLength(1);
    return told[0] as (ref: TagRef) => boolean;
  };
  return { driver, reports, rejected, valuesOf, retag };
}

const ref = (tagName: string) => ({ assetId: 'cell', tagName });

describe('a change of tags', () => {
  it('watches what is new, lets go what is gone, and reads what is changed from its new node', async () => {
    const { driver, rejected, retag, valuesOf } = await begin(tag('stays', 'a'), tag('goes', 'b'), tag('moves', 'b'));
    const goesOn = await retag(tag('stays', 'a'), tag('moves', 'c'), tag('comes', 'c'));
    expect(['stays', 'goes', 'moves', 'comes'].map((name) => goesOn(ref(name)))).toEqual([true, false, false, false]);
    for (const [node, value] of [
      ['b', 21],
      ['c', 31],
      ['a', 11],
    ] as const)
      set.get(node)?.(standing(value));
    for (const name of ['stays', 'moves', 'comes']) await until(`the news of ${name}`, () => Number(valuesOf(name).at(-1)) > 10);
    expect(['stays', 'moves', 'comes'].map((name) => valuesOf(name).at(-1))).toEqual([11, 31, 31]);
    expect([...valuesOf('goes'), ...valuesOf('moves')]).not.toContain(21);
    expect(rejected).toEqual([]);
    expect(driver.raw?.(ref('goes'))).toBeUndefined();
    const read = await driver.readNow?.([ref('comes'), ref('goes')], signal);
    expect(read?.map(({ value, status }) => [value, status])).toEqual([
      [31, GOOD],
      [null, BAD_NODE_ID_UNKNOWN],
    ]);
  });

  it('says of a node that the server does not have that it fails, and no more when its tag has gone', async () => {
    const { reports, retag } = await begin(tag('stays', 'a'));
    await retag(tag('stays', 'a'), tag('nowhere', 'nowhere'));
    expect(reports.at(-1)).toMatchObject({ tagsFailed: 1 });
    await retag(tag('stays', 'a'));
    expect(reports.at(-1)).toEqual({ tagsFailed: 0 });
  });

  it('twenty times under load loses no value of the tag that stays', async () => {
    const { rejected, retag, valuesOf } = await begin(tag('stays', 'a'));
    const sent: number[] = [];
    for (let change = 0; change < 20; change++) {
      const changed = retag(tag('stays', 'a'), tag(`other ${change % 3}`, change % 2 === 0 ? 'b' : 'c'));
      sent.push(1_000 + change);
      set.get('a')?.(standing(1_000 + change));
      set.get('b')?.(standing(change));
      await changed;
      await until('the value set during the change', () => valuesOf('stays').at(-1) === sent.at(-1)); // a server may sample away what changes faster
    }
    expect(valuesOf('stays').filter((value) => Number(value) >= 1_000)).toEqual(sent);
    expect(rejected).toEqual([]);
  });
});
