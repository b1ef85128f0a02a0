/** Disks that fail: a failed write or flush is never taken for done, and what was accepted is durable as soon as the disk works again. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sequence } from '../../../../src/core/tag.ts';
import type { WalPoint } from '../../../../src/store/engine/wal/segment.ts';
import { useTempDirs } from '../../temp-dir.ts';
import { LogRig, numbersOf, range } from './log-rig.ts';
import { pushInto } from './shown.ts';

/** A hook that fails with the error code while `fails` says so. */
function failing(code: string, fails: (point: WalPoint) => boolean): (point: WalPoint) => void {
  return (point) => {
    if (fails(point)) throw Object.assign(new Error(`${code}: injected at ${point}`), { code });
  };
}

/** What a kernel may do with pages that it failed to write: they are gone. */
function wipe(path: string, from: number): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, from));
}

describe('the log on a failing disk', () => {
  const tempDir = useTempDirs();

  it('writes to a new segment what a failed flush should have covered, and gives up the old one after its release', () => {
    const dir = tempDir();
    let broken = false;
    const hook = failing('EIO', (point) => {
      const fails = broken && point === 'sync';
      if (fails) broken = false;
      return fails;
    });
    const rig = new LogRig({ dir, segmentBytes: 64 << 10, hook });
    rig.append(100);
    rig.sync();
    rig.append(100);
    broken = true;
    rig.sync();
    expect(rig.wal.stats).toMatchObject({ failedSyncs: 1, liveSegments: 2, lastFault: expect.stringContaining('EIO') });
    wipe(join(dir, 'wal-00000001.log'), 4096);
    rig.append(50);
    rig.sync();
    const again = rig.reopened();
    expect(numbersOf(again.replayed.records)).toEqual(range(1, 251));
    expect(again.replayed.report.lost).toEqual([]);
    again.close();
    rig.wal.release(rig.wal.next);
    expect(readdirSync(dir)).toEqual(['wal-00000002.log']);
  });

  it('does not believe a flush that succeeds after one that failed: it writes everything again first', () => {
    const dir = tempDir();
    let broken = false;
    const rig = new LogRig({ dir, segmentBytes: 64 << 10, hook: failing('EIO', (point) => broken && point === 'sync') });
    rig.append(100);
    rig.sync();
    rig.append(100);
    rig.append(30);
    broken = true;
    for (let attempt = 0; attempt < 20; attempt++) {
      expect(() => rig.sync()).toThrow(expect.objectContaining({ code: 'store_failed', cause: expect.objectContaining({ code: 'EIO' }) }));
      rig.append(1);
    }
    expect(rig.wal.stats.liveSegments).toBe(2);
    wipe(join(dir, 'wal-00000001.log'), 4096);
    wipe(join(dir, 'wal-00000002.log'), 0);
    broken = false;
    rig.sync();
    const again = rig.reopened();
    expect(numbersOf(again.replayed.records)).toEqual(range(1, 251));
    again.close();
  });

  it('calls nothing durable at an opening before it is written again and flushed, elsewhere when that fails', () => {
    const dir = tempDir();
    const rig = new LogRig({ dir, segmentBytes: 64 << 10 });
    rig.append(100);
    rig.sync();
    rig.append(100);
    rig.close();
    let failures = 1;
    const points: WalPoint[] = [];
    const hook = failing('EIO', (point) => {
      points.push(point);
      return point === 'sync' && failures-- > 0;
    });
    const opened = new LogRig({ dir, segmentBytes: 64 << 10, hook });
    expect(points.slice(0, 4)).toEqual(['write', 'write:half', 'write:done', 'sync']);
    expect(points.at(-1)).toBe('sync:done');
    expect(numbersOf(opened.replayed.records)).toEqual(range(1, 201));
    wipe(join(dir, 'wal-00000001.log'), 4096);
    const again = opened.reopened();
    expect(numbersOf(again.replayed.records)).toEqual(range(1, 201));
    again.close();
    failures = 2;
    expect(() => new LogRig({ dir, segmentBytes: 64 << 10, hook })).toThrow(expect.objectContaining({ code: 'store_failed' }));
  });

  it('leaves a bounded amount unsynced, and then accepts nothing more', () => {
    let broken = true;
    const rig = new LogRig({ dir: tempDir(), segmentBytes: 1 << 20, hook: failing('EIO', (point) => broken && point === 'sync') });
    let pushed = 0;
    const fill = () => {
      while (pushed < 4_000) {
        const record = { series: 1, timeMs: pushed, value: String(pushed).padEnd(4_000), status: 0, historical: false };
        if (pushInto(rig.ring, { kind: 'text', ...record })) pushed++;
        rig.drain();
      }
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'store_failed' }));
    expect(rig.wal.stats.unsyncedBytes).toBeLessThan(6 << 20);
    expect(rig.wal.stats.unsyncedBytes).toBeGreaterThan(4 << 20);
    broken = false;
    rig.drain();
    const again = rig.reopened();
    expect(again.replayed.records.map((record) => record.kind === 'text' && Number(record.value))).toEqual(range(0, pushed));
    again.close();
  });

  it('keeps nothing of an append that failed, says disk_full for a full disk, and takes the same records again', () => {
    for (const failingPoint of ['write', 'write:half', 'write:done'] as const) {
      let countdown = Number.POSITIVE_INFINITY;
      const rig = new LogRig({
        dir: tempDir(),
        segmentBytes: 64 << 10,
        hook: failing('ENOSPC', (point) => point === failingPoint && countdown-- <= 0),
      });
      for (let writes = 0; writes < 4; writes++) {
        rig.append(20);
        const { next } = rig.wal;
        if (writes > 1) rig.sync();
        countdown = writes === 1 ? 1 : 0; // at a growing frame's second write, its header; at a first write else
        expect(() => rig.append(20)).toThrow(expect.objectContaining({ code: 'disk_full' }));
        expect(rig.wal.next).toBe(next);
        countdown = Number.POSITIVE_INFINITY;
        rig.drain();
      }
      const again = rig.reopened();
      expect(numbersOf(again.replayed.records)).toEqual(range(1, 161));
      again.close();
    }
  });

  it('leaves no half-made segment behind when the disk is full', () => {
    for (const failingPoint of ['create', 'create:zeroed', 'create:synced'] as const) {
      const dir = tempDir();
      let full = true;
      const rig = new LogRig({ dir, segmentBytes: 64 << 10, hook: failing('ENOSPC', (point) => full && point === failingPoint) });
      expect(() => rig.append(10)).toThrow(expect.objectContaining({ code: 'disk_full', message: expect.stringContaining(dir) }));
      expect(readdirSync(dir)).toEqual([]);
      full = false;
      rig.drain();
      const again = rig.reopened();
      expect(numbersOf(again.replayed.records)).toEqual(range(1, 11));
      again.close();
    }
  });

  it('loses nothing of what is appended between a move that failed and the next try', () => {
    let fault = { after: Number.POSITIVE_INFINITY };
    const hook = (point: WalPoint) => {
      if (fault.after-- === 0) throw Object.assign(new Error(`injected at ${point}`), { code: 'EIO' });
    };
    const rig = new LogRig({ dir: tempDir(), segmentBytes: 16 << 10, hook });
    const fails = (after: number, act: () => void) => {
      fault = { after };
      expect(act).toThrow(expect.objectContaining({ code: 'store_failed' }));
    };
    rig.append(890); // more than a segment holds
    fails(0, () => rig.append(1));
    fails(0, () => rig.sync());
    fails(4, () => rig.sync()); // the first write of the move
    fault = { after: Number.POSITIVE_INFINITY };
    rig.append(7); // into the segment that the move has begun
    rig.drain();
    const again = rig.reopened();
    expect(numbersOf(again.replayed.records)).toEqual(range(1, again.pushed));
    expect(again.replayed.report.lost).toEqual([]);
    again.close();
  });

  // Behind the four steps of making a segment: at once, in the middle of the write, behind it; then the flush.
  it.each([4, 5, 6, 7])('loses nothing when it moves to another segment and step %i there fails', (step) => {
    let fault = { after: Number.POSITIVE_INFINITY };
    const hook = (point: WalPoint) => {
      if (fault.after-- === 0) throw Object.assign(new Error(`injected at ${point}`), { code: 'EIO' });
    };
    const rig = new LogRig({ dir: tempDir(), segmentBytes: 16 << 10, hook });
    const fails = (after: number, act: () => void) => {
      fault = { after };
      expect(act).toThrow(expect.objectContaining({ code: 'store_failed' }));
    };
    rig.append(1);
    fails(0, () => rig.append(1)); // what is in the file is not to be believed
    fails(0, () => rig.sync()); // nor what was written again
    fault = { after: Number.POSITIVE_INFINITY };
    rig.append(1);
    fails(step, () => rig.sync());
    rig.drain();
    const again = rig.reopened();
    expect(numbersOf(again.replayed.records)).toEqual(range(1, again.pushed));
    again.close();
  });

  it('loses and doubles nothing whatever fails when', () => {
    const anyFault = fc.record({ after: fc.nat(12), times: fc.integer({ min: 1, max: 4 }), code: fc.constantFrom('EIO', 'ENOSPC') });
    const anyAct = fc.oneof(fc.constantFrom('sync' as const, 'reopen' as const), fc.integer({ min: 1, max: 300 }), anyFault);
    fc.assert(
      fc.property(fc.array(anyAct, { minLength: 5, maxLength: 40 }), (acts) => {
        let fault = { after: Number.POSITIVE_INFINITY, times: 0, code: '' };
        const hook = (point: WalPoint) => {
          if (fault.after-- > 0 || fault.times-- <= 0) return;
          throw Object.assign(new Error(`injected at ${point}`), { code: fault.code });
        };
        const attempt = (act: () => void) => {
          try {
            act();
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^(store_failed|disk_full)$/) });
          }
        };
        let rig = new LogRig({ dir: tempDir(), segmentBytes: 16 << 10, hook });
        for (const act of [...acts, 'reopen' as const]) {
          if (act === 'sync') attempt(() => rig.sync());
          else if (typeof act === 'number') attempt(() => rig.append(act));
          else if (act === 'reopen') {
            fault = { after: Number.POSITIVE_INFINITY, times: 0, code: '' };
            rig.drain();
            rig = rig.reopened();
            expect(numbersOf(rig.replayed.records)).toEqual(range(1, rig.pushed));
            expect(rig.replayed.report.lost).toEqual([]);
          } else fault = { ...act };
        }
        rig.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('the log on a small disk', () => {
  const dir = mkdtempSync(join(tmpdir(), 'wal-full-'));
  let unavailable: string | undefined;
  beforeAll(() => {
    try {
      if (process.getuid?.() !== 0) throw new Error('it needs root');
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'pipe' });
    } catch (error) {
      unavailable = `mounting a small disk failed: ${error instanceof Error ? error.message : error}`;
      process.stdout.write(`skipped: ${unavailable}\n`);
    }
  });
  afterAll(() => {
    if (!unavailable) execFileSync('umount', [dir]);
    rmSync(dir, { recursive: true });
  });

  it('says disk_full when no further segment fits, keeps what it has, and goes on in what is released', ({ skip }) => {
    if (unavailable) skip(unavailable);
    const rig = new LogRig({ dir, segmentBytes: 128 << 10 });
    const fill = () => {
      for (;;) {
        rig.append(500);
        rig.sync();
      }
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'disk_full' }));
    expect(() => rig.drain()).toThrow(expect.objectContaining({ code: 'disk_full' }));
    const { liveSegments } = rig.wal.stats;
    expect(readdirSync(dir).length).toBe(liveSegments);
    expect(liveSegments).toBeGreaterThan(5);
    rig.wal.release((rig.wal.next - 600) as Sequence);
    rig.drain();
    rig.sync();
    const again = rig.reopened(rig.wal.next - 500);
    expect(numbersOf(again.replayed.records).at(-1)).toBe(rig.pushed - 1);
    expect(again.replayed.report.lost).toEqual([]);
    again.close();
  });
});
