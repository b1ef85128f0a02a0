/** A full disk under the daemon: ingest says so, everything else goes on, nothing acknowledged is lost, and it recovers by itself. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, TestDaemon } from '../support/daemon.ts';
import { allSamples } from '../support/history.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { eventually, figure } from '../support/wait.ts';

const RESERVE_MB = 64;
const QUARTER_BYTES = (RESERVE_MB * 1e6) / 4;
/** Of a unit with MemoryMax=512M: what may be in use in any fault. */
const MAX_RESIDENT_BYTES = 384 * 2 ** 20;
/** Promised; asserted with three times that. */
const ANSWER_MS = 1_000;
const RECOVERY_MS = 60_000;
const BATCH = 500;
/** A little ahead of the clock, for on a full disk a day that is over may go, and what is behind it may be of yesterday. */
const BASE_MS = Math.floor(Date.now() / 1_000) * 1_000 + 240_000;

const made = SmallDisk.make(192);
if (typeof made === 'string') process.stdout.write(`left out: ${made}\n`);

describe.skipIf(typeof made === 'string')('a full disk', () => {
  const disk = made as SmallDisk;
  let daemon: TestDaemon;
  /** Batches that were answered with 200; the next one is sent until it is. */
  let acknowledged = 0;
  let slowestMs = 0;

  const post = async (): Promise<Answer> => {
    const data = Array.from({ length: BATCH }, (_, index) => {
      const n = acknowledged * BATCH + index;
      return { asset_id: 'rest', tag_name: 'n', value: n, timestamp: new Date(BASE_MS + n).toISOString() };
    });
    const startMs = performance.now();
    const answer = await daemon.post('/v1/telemetry', { data });
    slowestMs = Math.max(slowestMs, performance.now() - startMs);
    if (answer.status === 200) acknowledged++;
    return answer;
  };

  const expectAllThere = async (): Promise<void> => {
    const kept = await allSamples(daemon, { asset: 'rest', tag: 'n', fromMs: BASE_MS, toMs: BASE_MS + acknowledged * BATCH });
    const values = new Map(kept.map(({ timeMs, value }) => [timeMs - BASE_MS, value]));
    for (let n = 0; n < acknowledged * BATCH; n++) if (values.get(n) !== n) throw new Error(`sample ${n} is ${values.get(n)}`);
  };

  const live = async (): Promise<unknown> => (await daemon.get('/api/twins/sim')).body;

  /** Everything that a full disk must not touch. */
  const expectTheRestGoesOn = async (): Promise<void> => {
    const before = JSON.stringify(await live());
    await eventually(async () => JSON.stringify(await live()) !== before || undefined, { what: 'live values move', timeoutMs: 5_000 });
    const told = async () => (await daemon.get('/v1/status')).body.data.store.fault === 'disk_full' || undefined;
    await eventually(told, { what: 'the status tells of the full disk', timeoutMs: 5_000 });
    expect((await daemon.get('/readyz')).status).toBe(503);
    await expectAllThere();
    expect(await daemon.residentBytes()).toBeLessThan(MAX_RESIDENT_BYTES);
  };

  const expectFull = async (): Promise<void> => {
    await eventually(async () => (await post()).status === 507 || undefined, { what: 'ingest answers 507', timeoutMs: 10_000 });
    for (let round = 0; round < 300; round++) expect([503, 507]).toContain((await post()).status); // enough to fill the ring
    expect((await post()).status).toBe(507);
    expect(slowestMs).toBeLessThan(3 * ANSWER_MS);
  };

  const expectRecovery = async (): Promise<void> => {
    const startMs = performance.now();
    await eventually(async () => (await post()).status === 200 || undefined, { what: 'ingest is taken', timeoutMs: 3 * RECOVERY_MS });
    figure(`taken again ${Math.round(performance.now() - startMs)} ms after space came back (promised ${RECOVERY_MS})`);
    await eventually(async () => (await daemon.get('/readyz')).status === 200 || undefined, { what: 'it is ready', timeoutMs: 10_000 });
    await expectAllThere();
  };

  beforeAll(async () => {
    daemon = await TestDaemon.start({
      data_dir: join(disk.dir, 'data'),
      store: { retention: { reserve_bytes: `${RESERVE_MB}MB` } },
      sources: [
        {
          id: 'ds-sim',
          name: 'Simulator',
          type: 'simulator',
          config: { polling_interval_ms: 100 },
          tags: Array.from({ length: 20 }, (_, index) => ({ tag_name: `s${index}`, asset_id: 'sim', waveform: 'random_walk' })),
        },
      ],
      log: { level: 'warn' },
    });
    for (let batch = 0; batch < 50; batch++) expect((await post()).status).toBe(200);
  });

  afterAll(async () => {
    await daemon?.dispose();
    disk.dispose();
  });

  test('at a quarter of the reserve ingest stops, the records go on, and so does ingest when there is room', async () => {
    disk.fill(QUARTER_BYTES - 100_000);
    await expectFull();
    await expectTheRestGoesOn();
    const token = execFileSync(process.execPath, ['dist/main.js', 'token', 'create', '--name', 'late', '--data-dir', daemon.dataDir], {
      encoding: 'utf8',
    });
    expect(token).toMatch(/tbx_/);
    disk.free();
    await expectRecovery();
  });

  test('where another program takes the last byte, it goes on, starts again, and loses nothing', async () => {
    disk.fill();
    expect(disk.freeBytes).toBeLessThan(8_192);
    await expectFull();
    await expectTheRestGoesOn();
    await daemon.kill();
    disk.fill();
    daemon.launch();
    await daemon.alive();
    await expectFull();
    await expectTheRestGoesOn();
    await daemon.kill('SIGTERM');
    daemon.launch();
    await daemon.alive();
    await expectTheRestGoesOn();
    disk.free();
    await expectRecovery();
    figure(`${acknowledged * BATCH} samples acknowledged, 0 lost; slowest answer ${Math.round(slowestMs)} ms`);
  });
});
