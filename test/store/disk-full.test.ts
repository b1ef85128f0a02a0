/** A full disk: who waits hears of it, nothing acknowledged is lost, reads go on, and writing does when there is space again. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isGatewayError } from '../../src/core/errors.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { eventually, makeStore, readKept } from './client-rig.ts';

/** Why no small disk can be had here; undefined when there is one at `dir`. */
function mountSmallDisk(dir: string): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting a small disk needs root';
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', dir], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `mounting a small disk failed: ${error instanceof Error ? error.message : error}`;
  }
}

const text = (index: number) => `${index} ${'x'.repeat(900)}`;

describe('a store on a full disk', () => {
  const dir = mkdtempSync(join(tmpdir(), 'store-full-'));
  let unavailable: string | undefined;
  beforeAll(() => {
    unavailable = mountSmallDisk(dir);
    if (unavailable) process.stdout.write(`skipped: ${unavailable}\n`);
  });
  afterAll(() => {
    if (!unavailable) execFileSync('umount', [dir]);
    rmSync(dir, { recursive: true });
  });

  it('says disk_full, loses nothing acknowledged, and goes on when space is freed', async ({ skip }) => {
    if (unavailable) skip(unavailable);
    const ballast = join(dir, 'ballast');
    writeFileSync(ballast, Buffer.alloc(10 << 20)); // the rest has room for one segment of the log, not for two
    const { client, ring, define, push, logged } = makeStore(dir, { slots: 1 << 16 });
    await client.start();
    const series = define('string');
    let acknowledged = 0;
    let pushed = 0;
    let refusal: unknown;
    while (refusal === undefined && pushed < 50_000) {
      for (let burst = 0; burst < 100; burst++) if (push(series, pushed, text(pushed))) pushed++;
      await client.durable(ring.head).then(
        () => {
          acknowledged = pushed;
        },
        (error: unknown) => {
          refusal = error;
        },
      );
    }
    expect(acknowledged).toBeGreaterThan(0);
    expect(isGatewayError(refusal, 'disk_full')).toBe(true);
    expect(client.health).toBe('disk_full');
    await expect(client.durable(ring.head)).rejects.toMatchObject({ code: 'disk_full' });
    const big = { kind: 'twin', tenant: 'default', id: 'press' } as const;
    await expect(client.records.putDocument(big, 'x'.repeat(8 << 20), 1 as UnixMs)).rejects.toMatchObject({ code: 'disk_full' });
    expect(logged.length).toBe(1);
    const newest = await client.telemetry.latest([series], 'newest');
    expect(newest.timeMs[0]).toBe(acknowledged - 1);
    const kept = await readKept(dir);
    for (let index = 0; index < acknowledged; index++) expect(kept.valueAt(index)).toBe(text(index));

    rmSync(ballast);
    await eventually(() => client.health === 'ok');
    await client.durable(ring.head);
    await client.records.putDocument(big, 'small', 1 as UnixMs);
    await client.stop();
    const after = await readKept(dir);
    expect(after.rows.length).toBe(pushed);
    for (let index = 0; index < pushed; index++) expect(after.valueAt(index)).toBe(text(index));
  });
});
