/** A worker that hangs: whoever asks it hears so in ten seconds, later callers at once, and it is asked again when it is back. */
import type { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { isGatewayError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import { Ring } from '../../src/core/ring.ts';
import type { SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { StoreClient } from '../../src/store/client.ts';
import type { ToWorker } from '../../src/store/protocol.ts';
import { ManualClock, turn } from '../support/manual-clock.ts';
import { startBuiltQueryWorker, startBuiltWorker } from './built.ts';
import { eventually } from './client-rig.ts';
import { useTempDirs } from './temp-dir.ts';

const tempDir = useTempDirs();
const clients: StoreClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.stop();
});

/** While `hangs`, the worker does not hear what it is told. */
async function hangable() {
  const clock = new ManualClock();
  const state = { hangs: false, kept: [] as (() => void)[] };
  const client = new StoreClient({
    dataDir: tempDir(),
    ring: new Ring(1 << 12),
    retention: {},
    profile: 'balanced',
    clock,
    log: silentLog,
    spawnQuery: startBuiltQueryWorker,
    spawn: (workerData): Worker => {
      const worker = startBuiltWorker(workerData);
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: ToWorker) => {
        if (state.hangs) state.kept.push(() => post(message));
        else post(message);
      };
      return worker;
    },
  });
  clients.push(client);
  await client.start();
  const goOn = () => {
    state.hangs = false;
    for (const deliver of state.kept.splice(0)) deliver();
  };
  return { client, clock, hang: () => (state.hangs = true), goOn, kept: () => state.kept.length };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => 'none',
    (cause: unknown) => cause,
  );
  return isGatewayError(error) ? error.code : String(error);
}

it('a call is given up after ten seconds, the next are refused at once, and all is well when the worker is back', async () => {
  const { client, clock, hang, goOn, kept } = await hangable();
  hang();
  let settled = false;
  const asked = codeOf(client.records.tokenByHash('x')).finally(() => {
    settled = true;
  });
  await clock.advance(9_000);
  expect(settled).toBe(false);
  await clock.advance(2_000);
  expect(await asked).toBe('store_stalled');
  const before = kept();
  expect(await codeOf(client.records.documents('twin'))).toBe('store_stalled');
  const query = { series: [1 as SeriesId], range: { from: 0 as UnixMs, to: 1 as UnixMs }, limit: 1 };
  expect(await codeOf(client.telemetry.raw(query))).toBe('store_stalled');
  expect(kept()).toBe(before);
  goOn();
  let isBack = false;
  const ask = () =>
    client.records.documents('twin').then(
      () => (isBack = true),
      () => undefined, // not yet
    );
  await eventually(() => {
    void ask();
    return isBack;
  });
});

it('what may take minutes is waited for', async () => {
  const { client, clock, hang, goOn } = await hangable();
  hang();
  const newest = codeOf(client.telemetry.latest([], 'newest'));
  await clock.advance(60_000);
  goOn();
  expect(await newest).toBe('none');
  await turn();
});
