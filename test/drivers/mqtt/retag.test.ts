/** Tags that change while messages come: the link stays, no message of a tag that stays is lost, and each is acknowledged. */
import { afterEach, expect, test } from 'vitest';
import type { TagRef } from '../../../src/drivers/driver.ts';
import { tagSchema } from '../../../src/drivers/mqtt/options.ts';
import { startBroker, type TestBroker } from './aedes-broker.ts';
import { type Harness, harness, until } from './harness.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const signal = new AbortController().signal;
const STAYS = { topic: 'plant/a', tag_name: 'stays', data_type: 'number' };
const GOES = { topic: 'plant/b', tag_name: 'goes', data_type: 'number' };
const COMES = { topic: 'plant/c', tag_name: 'comes', data_type: 'number' };

async function begin(...tags: Record<string, unknown>[]): Promise<{ readonly broker: TestBroker; readonly bench: Harness }> {
  const broker = await startBroker();
  closers.push(() => broker.close());
  const bench = harness({ broker_url: `mqtt://127.0.0.1:${broker.port}` }, tags);
  closers.push(() => bench.stop());
  await bench.start();
  return { broker, bench };
}

async function retag(bench: Harness, ...tags: Record<string, unknown>[]): Promise<(tag: TagRef) => boolean> {
  const told: ((tag: TagRef) => boolean)[] = [];
  await bench.driver.retag?.(
    tags.map((tag) => tagSchema.parse(tag)),
    (goesOn) => told.push(goesOn),
    signal,
  );
  expect(told).toHaveLength(1);
  return told[0] as (tag: TagRef) => boolean;
}

const ref = (tagName: string, assetId = 'ds-mqtt') => ({ assetId, tagName });
const valuesOf = (bench: Harness, tag: string) => bench.recording.readings.flatMap((one) => (one.tag === tag ? [one.value] : []));

test('what is new is subscribed, what is gone unsubscribed, and what is changed read by its new options', async () => {
  const { broker, bench } = await begin(STAYS, GOES, { ...COMES, tag_name: 'moves' });
  for (const topic of ['plant/a', 'plant/b', 'plant/c']) await broker.publish(topic, '1');
  await until(() => bench.recording.readings.length === 3, 'three readings');
  const goesOn = await retag(bench, STAYS, { ...STAYS, tag_name: 'twin' }, { ...COMES, topic: 'plant/d', tag_name: 'moves' });
  expect(['stays', 'goes', 'moves', 'twin'].map((tag) => goesOn(ref(tag)))).toEqual([true, false, false, false]);
  expect(bench.driver.raw?.(ref('stays'))).toMatchObject({ words: { payload: '"1"' } });
  expect(bench.driver.raw?.(ref('goes'))).toBeUndefined();
  for (const topic of ['plant/b', 'plant/c', 'plant/d', 'plant/a']) await broker.publish(topic, '2');
  await until(() => bench.recording.readings.length === 6, 'six readings');
  expect(['stays', 'goes', 'moves', 'twin'].map((tag) => valuesOf(bench, tag))).toEqual([[1, 2], [1], [1, 2], [2]]);
});

test('what is new and names the type of its values is told of at once', async () => {
  const { bench } = await begin(STAYS);
  await retag(bench, STAYS, { ...COMES, tag_name: 'typed', data_type: 'boolean' });
  expect([...bench.recording.tags.values()].at(-1)).toMatchObject({ tag: 'typed', valueType: 'bool' });
});

test('tags that topics name go on by the pattern that they come from', async () => {
  const { broker, bench } = await begin({ topic: 'plant/{asset}/{tag}' }, { topic: 'hall/{asset}/temperature', tag_name: 't' });
  const goesOn = await retag(bench, { topic: 'hall/{asset}/temperature', tag_name: 't' });
  expect([goesOn(ref('t', 'oven')), goesOn(ref('speed', 'oven'))]).toEqual([true, false]);
  await broker.publish('plant/oven/speed', '1');
  await broker.publish('hall/oven/temperature', '2');
  await until(() => bench.recording.readings.length === 1, 'a reading');
  expect(bench.recording.readings[0]).toMatchObject({ asset: 'oven', tag: 't', value: 2 });
});

test('a message that waits for room is read by the tags that there are when room comes, and acknowledged', async () => {
  const { broker, bench } = await begin(STAYS, { ...STAYS, tag_name: 'goes' });
  bench.recording.hasRoom = false;
  await broker.publish('plant/a', '5');
  await until(() => bench.held(), 'the wait for room');
  await retag(bench, STAYS, { ...STAYS, tag_name: 'comes' });
  bench.recording.makeRoom();
  await until(() => broker.acknowledged.length === 1, 'the acknowledgement');
  expect(bench.recording.readings.map(({ tag, value }) => [tag, value])).toEqual([
    ['stays', 5],
    ['comes', 5],
  ]);
});

test('a hundred changes between messages lose none of a tag that stays, and each is acknowledged', async () => {
  const { broker, bench } = await begin(STAYS);
  for (let change = 0; change < 100; change++) {
    const changed = retag(bench, STAYS, { ...COMES, topic: `other/${change}` });
    await broker.publish('plant/a', String(change));
    await changed;
  }
  await until(() => broker.acknowledged.length === 100, 'a hundred acknowledgements');
  expect(valuesOf(bench, 'stays')).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

test('a filter that the broker refuses makes the source degraded, and its tag’s end makes it whole', async () => {
  const { broker, bench } = await begin(STAYS);
  broker.aedes.authorizeSubscribe = (_client, subscription, done) => done(null, subscription?.topic === 'plant/b' ? null : subscription);
  await retag(bench, STAYS, GOES);
  expect(bench.reports.at(-1)).toMatchObject({ tagsFailed: 1 });
  await retag(bench, STAYS);
  expect(bench.reports.at(-1)).toEqual({ tagsFailed: 0 });
});
