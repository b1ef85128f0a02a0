/** The store's client with its real worker: what is acknowledged is on disk, commits are shared, stopping loses nothing. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { GatewayError } from '../../src/core/errors.ts';
import type { Sequence, SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { StoreWorkerData } from '../../src/store/protocol.ts';
import { spawnWorker } from '../../src/system/spawn.ts';
import { eventually, readKept, useStores } from './client-rig.ts';
import { useTempDirs } from './temp-dir.ts';

const ALWAYS = { from: -1e14 as UnixMs, to: 1e14 as UnixMs };
const key = { kind: 'twin', tenant: 'default', id: 'press' } as const;

describe('StoreClient', () => {
  const tempDir = useTempDirs();
  const makeStore = useStores();

  it('starts on an empty folder, keeps what is pushed, and finds it at the next start', async () => {
    const dir = tempDir();
    const first = makeStore(dir);
    const report = await first.client.start();
    expect(report).toMatchObject({ catalogue: [], newestMs: null });
    expect(first.client.health).toBe('ok');
    expect(first.ring.head).toBe(report.next);
    const series = first.define();
    first.push(series, 1_000, 1.5);
    await first.client.durable(first.ring.head);
    const { columns } = await first.client.telemetry.raw({ series: [series], range: ALWAYS, limit: 10 });
    expect([...columns.numbers]).toEqual([1.5]);
    await first.client.records.putDocument(key, { name: 'Press' }, 5 as UnixMs);
    const { head } = first.ring;
    await first.client.stop();

    const fromSources = (workerData: StoreWorkerData) =>
      spawnWorker({ source: 'store/worker.ts', bundle: 'store-worker.js' }, { workerData });
    const second = makeStore(dir, { startWorker: fromSources });
    expect(await second.client.start()).toMatchObject({ next: head, nextSeriesId: series + 1, newestMs: 1_000 });
    expect(second.ring.head).toBe(head);
    expect(await second.client.records.documents('twin')).toMatchObject([{ id: 'press', revision: 1 }]);
  });

  it('acknowledges only what another connection finds on the disk at that very moment', async () => {
    const dir = tempDir();
    const { client, ring, define, push } = makeStore(dir);
    await client.start();
    const series = define();
    const writer = async (which: number) => {
      for (let index = 0; index < 4; index++) {
        const time = which * 1_000 + index;
        push(series, time, time / 7);
        const sequence = ring.head;
        await client.durable(sequence);
        const kept = await readKept(dir);
        expect(kept.valueAt(time)).toBe(time / 7);
        expect(kept.next).toBeGreaterThanOrEqual(sequence);
        expect(ring.durable).toBeGreaterThanOrEqual(sequence);
      }
    };
    await Promise.all([0, 1, 2, 3].map(writer));
  });

  it('writes what nobody waits for too, soon', async () => {
    const dir = tempDir();
    const { client, ring, define, push, sent } = makeStore(dir);
    await client.start();
    push(define(), 5, 7);
    ring.publish();
    await eventually(() => ring.durable === ring.head);
    expect(sent).not.toContain('flush');
    const kept = await readKept(dir);
    expect(kept.valueAt(5)).toBe(7);
  });

  it('serves many who wait with few commits, and resolves all of them', async () => {
    const { client, ring, define, push, sent } = makeStore(tempDir());
    await client.start();
    const series = define();
    const writers = 100;
    const rounds = 20;
    const startMs = systemClock.monotonicMs();
    const writer = async (which: number) => {
      for (let round = 0; round < rounds; round++) {
        push(series, which * rounds + round, 1);
        await client.durable(ring.head);
      }
    };
    await Promise.all(Array.from({ length: writers }, (_, which) => writer(which)));
    const flushes = sent.filter((kind) => kind === 'flush').length;
    const perSecond = Math.round((writers * rounds) / ((systemClock.monotonicMs() - startMs) / 1_000));
    process.stdout.write(`${writers * rounds} acknowledgements by ${writers} writers took ${flushes} commits, ${perSecond} a second\n`);
    expect(flushes).toBeLessThanOrEqual((writers * rounds) / 10);
    expect(await client.telemetry.count({ series: [series], range: ALWAYS, atMost: 1e6 })).toBe(writers * rounds);
  });

  it('publishes what is waited for, and does not spin while it waits', async () => {
    const { client, ring, define, push, sent } = makeStore(tempDir());
    await client.start();
    push(define(), 1, 1);
    await client.durable(ring.head);
    expect(sent.length).toBeLessThanOrEqual(2);
    await expect(client.durable((ring.head + 1) as Sequence)).rejects.toThrow(RangeError);
    const sentBefore = sent.length;
    await client.durable(ring.head);
    expect(sent.length).toBe(sentBefore);
  });

  it('lets one who waits go when its signal aborts, and serves the others', async () => {
    const { client, ring, define, push } = makeStore(tempDir());
    await client.start();
    push(define(), 1, 1);
    const leaving = new AbortController();
    const reason = new Error('the client hung up');
    const gone = client.durable(ring.head, leaving.signal);
    const stays = client.durable(ring.head, new AbortController().signal);
    leaving.abort(reason);
    await expect(gone).rejects.toBe(reason);
    await expect(stays).resolves.toBeUndefined();
    push(1 as SeriesId, 2, 2);
    await expect(client.durable(ring.head, leaving.signal)).rejects.toBe(reason);
    await client.durable(ring.head);
  });

  it('answers each request for room while nothing may be written, which is a fault and no hang', async () => {
    const { client, sent, define, push } = makeStore(tempDir());
    await client.start();
    const series = define();
    await client.telemetry.setRetention({ reserveBytes: 2 ** 52 }); // more than any disk has
    push(series, 1, 1);
    await expect(client.durable(1 as Sequence)).rejects.toMatchObject({ code: 'disk_full' });
    await eventually(() => {
      client.relieve(); // asks only when the last request was answered
      return sent.filter((kind) => kind === 'write').length > 2;
    });
    expect(client.health).toBe('disk_full');
  });

  it('passes an engine’s and a record’s refusal on with its code', async () => {
    const { client } = makeStore(tempDir());
    await client.start();
    const { telemetry, records } = client;
    await expect(telemetry.raw({ series: [], range: ALWAYS, limit: 1, cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_cursor' });
    await expect(telemetry.changes('x', 1)).rejects.toMatchObject({ code: 'invalid_cursor' });
    await expect(records.putDocument(key, {}, 1 as UnixMs, 7)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('press'),
    });
    await expect(records.tokenByHash('none')).resolves.toBeUndefined();
    await telemetry.setRetention({ maxAgeMs: 1 });
  });

  it('commits everything published when it stops, answers whoever waits, and refuses what comes later', async () => {
    const dir = tempDir();
    const { client, ring, define, push } = makeStore(dir);
    await client.start();
    const series = define();
    for (let time = 0; time < 5_000; time++) push(series, time, time);
    const waiting = client.durable(ring.head);
    const { head } = ring;
    const asked = client.telemetry.stats();
    let secondDone = false;
    const second = Promise.all([client.stop(), client.stop()]).then(() => {
      secondDone = true;
    });
    await expect(client.records.tokens()).rejects.toMatchObject({ code: 'stopped' });
    expect(secondDone).toBe(false);
    await second;
    await waiting;
    expect((await asked).engine).toBe('columnar');
    expect(client.health).toBe('stopped');
    await client.durable(head);
    push(series, 9_999, 1);
    await expect(client.durable(ring.head)).rejects.toMatchObject({ code: 'stopped' });
    await expect(client.telemetry.stats()).rejects.toMatchObject({ code: 'stopped' });
    const kept = await readKept(dir);
    expect(kept.rows.map(({ time }) => time)).toEqual(Array.from({ length: 5_000 }, (_, time) => time));
    expect(kept.next).toBe(head);
  });

  describe('that cannot open its folder', () => {
    const broken: [string, (dir: string) => string, RegExp][] = [
      ['is missing', (dir) => join(dir, 'missing'), /no such file or directory.*missing/],
      [
        'holds a folder in the place of store.db',
        (dir) => {
          mkdirSync(join(dir, 'telemetry', 'store.db'), { recursive: true });
          return dir;
        },
        /store\.db/,
      ],
      [
        'was written by a newer version',
        (dir) => {
          const newer = new Database(join(dir, 'records.db'));
          newer.pragma('user_version = 99');
          newer.close();
          return dir;
        },
        /records\.db has layout 99.*newer/,
      ],
    ];
    it('comes up all the same when store.db is no database, and keeps what it was', async () => {
      const dir = tempDir();
      mkdirSync(join(dir, 'telemetry'));
      const nonsense = 'no database, but long enough to be read as one '.repeat(50);
      writeFileSync(join(dir, 'telemetry', 'store.db'), nonsense);
      const { client } = makeStore(dir);
      await client.start();
      expect(client.damage).toMatchObject({ found: 2, last: expect.stringContaining('store.db') }); // that it is kept, and why
      await client.stop();
      expect(readFileSync(join(dir, 'telemetry', 'store.db.damaged-1'), 'utf8')).toBe(nonsense);
    });

    it('tells of the rescue of a records.db that is no database', async () => {
      const dir = tempDir();
      writeFileSync(join(dir, 'records.db'), 'no database, but long enough to be read as one '.repeat(50));
      const { client } = makeStore(dir);
      await client.start();
      expect(client.damage).toMatchObject({ found: 1, last: expect.stringContaining('records.db') });
    });

    it.each(broken)('because it %s rejects the start with a message that names the file', async (_why, prepare, message) => {
      const { client, workers, logged } = makeStore(prepare(tempDir()));
      const refusal = await client.start().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(GatewayError);
      expect(refusal).toMatchObject({ code: 'store_failed', message: expect.stringMatching(message) });
      await expect(client.telemetry.stats()).rejects.toMatchObject({ code: 'stopped' });
      await client.stop();
      expect(workers.length).toBe(1);
      expect(logged).toEqual([]);
    });
  });
});
