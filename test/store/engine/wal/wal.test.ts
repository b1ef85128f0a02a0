/** The log without accidents: what is appended is replayed, over many segments, openings and releases. */
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../../../src/core/ring.ts';
import type { Sequence } from '../../../../src/core/tag.ts';
import { openWal } from '../../../../src/store/engine/wal/open-wal.ts';
import { readLog } from '../../../../src/store/engine/wal/recovery.ts';
import { useTempDirs } from '../../temp-dir.ts';
import { LogRig, numbersOf, range } from './log-rig.ts';
import { anyRecord } from './records.ts';
import { collector, pushInto, type Shown } from './shown.ts';

const SEGMENT_BYTES = 64 << 10;
const segmentsIn = (dir: string) => readdirSync(dir).filter((name) => name.endsWith('.log'));

type Act = { readonly push: Shown[] } | 'append' | 'sync' | 'reopen';

describe('the log', () => {
  const tempDir = useTempDirs();

  it('replays exactly what was appended, in order, whatever was pushed and wherever it was appended, synced and opened again', () => {
    const anyAct: fc.Arbitrary<Act> = fc.oneof(
      { weight: 4, arbitrary: fc.record({ push: fc.array(anyRecord, { maxLength: 30 }) }) },
      { weight: 4, arbitrary: fc.constant('append' as const) },
      { weight: 2, arbitrary: fc.constant('sync' as const) },
      fc.constant('reopen' as const),
    );
    fc.assert(
      fc.property(fc.array(anyAct, { minLength: 1, maxLength: 25 }), fc.boolean(), (acts, compress) => {
        const options = { dir: tempDir(), segmentBytes: 16 << 10, maxSegments: 200, compress };
        let { wal } = openWal(options);
        const ring = new Ring(1 << 13);
        const pushed: Shown[] = [];
        const drain = () => {
          ring.publish();
          while (wal.next < ring.head) ring.setWritten(wal.append(ring, wal.next, ring.head));
        };
        for (const act of [...acts, 'append', 'reopen'] as const) {
          if (act === 'append') drain();
          else if (act === 'sync') expect(wal.sync()).toBe(wal.next);
          else if (act === 'reopen') {
            drain();
            wal.close();
            const opened = openWal(options);
            const shown: Shown[] = [];
            expect(opened.replay(collector(shown), 0 as Sequence).lost).toEqual([]);
            expect(shown).toEqual(pushed);
            expect(opened.wal.next).toBe(ring.head);
            wal = opened.wal;
          } else for (const record of act.push) if (pushInto(ring, record)) pushed.push(record);
        }
        wal.close();
      }),
      { numRuns: 60 },
    );
  });

  it('replays from the frame that holds a sequence, and says what each frame spans', () => {
    const rig = new LogRig({ dir: tempDir(), segmentBytes: SEGMENT_BYTES });
    const ends: number[] = [];
    for (let round = 0; round < 10; round++) {
      rig.append(100);
      rig.sync();
      ends.push(rig.wal.next);
    }
    const again = rig.reopened(ends[4]);
    expect(again.replayed.frames.map((frame) => frame.end)).toEqual(ends.slice(5));
    expect(again.replayed.frames[0]?.first).toBe(ends[4]);
    expect(numbersOf(again.replayed.records)).toEqual(range(501, 1001));
    expect(again.replayed.report).toMatchObject({ frames: 5, slots: (ends[9] as number) - (ends[4] as number), lost: [] });
    expect(again.replay((ends[4] as number) - 1).frames.length).toBe(6);
    again.close();
  });

  it('lets what is appended between two syncs share a frame, and starts each frame after a sync at a block', () => {
    const dir = tempDir();
    const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    for (let part = 0; part < 5; part++) rig.append(10);
    rig.sync();
    rig.append(3);
    rig.sync();
    expect(rig.wal.stats).toMatchObject({ frames: 2, syncs: 2, liveSegments: 1, freeSegments: 0, unsyncedBytes: 0, failedSyncs: 0 });
    rig.close();
    const bytes = readFileSync(join(dir, 'wal-00000001.log'));
    expect(bytes.length).toBe(SEGMENT_BYTES);
    expect(bytes.toString('latin1', 0, 4)).toBe('TWAL');
    expect(bytes.toString('latin1', 4096, 4100)).toBe('TWAL');
    expect(bytes.subarray(8192).every((byte) => byte === 0)).toBe(true);
  });

  it('leaves alone what an earlier append wrote when the next one goes on where it ended', () => {
    const rig = new LogRig({ dir: tempDir(), segmentBytes: SEGMENT_BYTES });
    const pushed: Shown[] = [];
    for (let series = 1; series <= 60; series++) {
      const record: Shown = { kind: 'number', series, timeMs: 1_700_000_000_000, value: series / 10, status: 0, historical: false };
      if (pushInto(rig.ring, record)) pushed.push(record);
      if (series % 3 > 0) rig.append(0);
    }
    rig.close();
    const shown: Shown[] = [];
    const { wal, replay } = openWal(rig.options);
    replay(collector(shown), 0 as Sequence);
    expect(shown).toEqual(pushed.slice(0, shown.length));
    expect(shown.length).toBe(59);
    wal.close();
  });

  it('uses released segments again: the files do not grow in number or size over a thousand segments of data', () => {
    const dir = tempDir();
    const segmentBytes = 16 << 10;
    const rig = new LogRig({ dir, segmentBytes, maxSegments: 10 });
    let sealed = 0;
    while (rig.wal.stats.frameBytes < 1_000 * segmentBytes) {
      rig.append(2_000);
      rig.sync();
      rig.wal.release(sealed as Sequence);
      sealed = rig.wal.next;
    }
    expect(segmentsIn(dir).length).toBeLessThanOrEqual(10);
    for (const name of segmentsIn(dir)) expect(statSync(join(dir, name)).size).toBe(segmentBytes);
    rig.append(100);
    const again = rig.reopened(sealed);
    const numbers = numbersOf(again.replayed.records);
    expect(numbers).toEqual(range(numbers[0] as number, rig.pushed));
    expect(numbers[0]).toBeLessThanOrEqual(rig.pushed - 100);
    expect(again.replayed.report.lost).toEqual([]);
    again.close();
  });

  it('goes on in the same segment after an opening, so that a restart costs none', () => {
    const dir = tempDir();
    let rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES, maxSegments: 2 });
    for (let restart = 0; restart < 12; restart++) {
      rig.append(20);
      rig = rig.reopened();
    }
    expect(numbersOf(rig.replayed.records)).toEqual(range(1, 241));
    expect(segmentsIn(dir)).toEqual(['wal-00000001.log']);
    rig.close();
  });

  it('refuses with store_failed when all segments are in use, keeps what it has, and goes on after a release', () => {
    const rig = new LogRig({ dir: tempDir(), segmentBytes: 16 << 10, maxSegments: 3 });
    const fill = () => {
      for (;;) rig.append(50);
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'store_failed', message: expect.stringContaining('3 segments') }));
    expect(() => rig.drain()).toThrow(expect.objectContaining({ code: 'store_failed' }));
    rig.sync();
    const { liveSegments } = rig.wal.stats;
    expect(liveSegments).toBe(3);
    rig.wal.release((rig.wal.next - 50) as Sequence);
    expect(rig.wal.stats.freeSegments).toBe(2);
    rig.drain();
    const again = rig.reopened(rig.wal.next - 20);
    expect(again.replayed.records.length).toBeGreaterThan(0);
    expect(numbersOf(again.replayed.records).at(-1)).toBe(rig.pushed - 1);
    again.close();
  });

  it('never gives away the active segment, nor one with a later frame', () => {
    const rig = new LogRig({ dir: tempDir(), segmentBytes: 16 << 10 });
    for (let round = 0; round < 10; round++) rig.append(1_000);
    rig.sync();
    const { liveSegments } = rig.wal.stats;
    const end = Math.min(...readLog(rig.options.dir, 0).files.map((file) => file.end));
    rig.wal.release((end - 1) as Sequence);
    expect(rig.wal.stats).toMatchObject({ liveSegments, freeSegments: 0 });
    rig.wal.release(end as Sequence);
    expect(rig.wal.stats).toMatchObject({ liveSegments: liveSegments - 1, freeSegments: 1 });
    rig.wal.release((rig.wal.next + 5) as Sequence);
    expect(rig.wal.stats).toMatchObject({ liveSegments: 1, freeSegments: liveSegments - 1 });
    rig.append(10);
    const again = rig.reopened(rig.wal.next - 1);
    expect(numbersOf(again.replayed.records).at(-1)).toBe(10_010);
    again.close();
  });

  it('refuses a sequence below its end, and reports a leap as lost', () => {
    const dir = tempDir();
    const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    rig.append(10);
    expect(() => rig.wal.append(rig.ring, 3 as Sequence, rig.ring.head)).toThrow(RangeError);
    rig.sync();
    const before = rig.wal.next;
    rig.ring.startAt((before + 100) as Sequence);
    pushInto(rig.ring, { kind: 'number', series: 1, timeMs: 5, value: 1, status: 0, historical: false });
    rig.wal.append(rig.ring, (before + 100) as Sequence, rig.ring.head);
    rig.close();
    const { replay, wal } = openWal(rig.options);
    const report = replay(collector([]), 0 as Sequence);
    expect(report.lost).toEqual([{ segment: 'wal-00000001.log', offset: expect.any(Number), from: before, to: before + 100 }]);
    wal.close();
  });

  it('refuses the frames of a newer format, names the file, and changes nothing', () => {
    const dir = tempDir();
    const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    rig.append(10);
    rig.close();
    const path = join(dir, 'wal-00000001.log');
    const bytes = readFileSync(path);
    const length = bytes.readUInt32LE(4);
    bytes.writeUInt8(2, 12);
    bytes.writeUInt32LE(crc32(bytes.subarray(12, 32), crc32(bytes.subarray(32, 32 + length))), 8);
    writeFileSync(path, bytes);
    writeFileSync(join(dir, 'wal-00000002.log.tmp'), 'left over');
    writeFileSync(join(dir, 'wal-00000003.log'), 'odd');
    const refusal = expect.objectContaining({ code: 'store_failed', message: expect.stringMatching(/wal-00000001\.log .*format 2/) });
    expect(() => openWal(rig.options)).toThrow(refusal);
    expect(readdirSync(dir).length).toBe(3);
    expect(readFileSync(path)).toEqual(bytes);
  });

  it('does not believe the frames of a log with another identity', () => {
    const dir = tempDir();
    const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES, identity: 0xdead_beef });
    rig.append(100);
    rig.close();
    const other = openWal({ dir, segmentBytes: SEGMENT_BYTES, identity: 7 });
    expect(other.wal.next).toBe(0);
    expect(other.wal.stats).toMatchObject({ liveSegments: 0, freeSegments: 1 });
    other.wal.close();
    const same = new LogRig(rig.options);
    expect(numbersOf(same.replayed.records)).toEqual(range(1, 101));
    same.close();
  });

  it('sets aside what has a segment’s name but is none, removes what was never finished, and leaves other files alone', () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'wal-00000007.log'));
    writeFileSync(join(dir, 'wal-00000008.log'), '');
    writeFileSync(join(dir, 'wal-00000009.log'), 'a letter');
    writeFileSync(join(dir, 'wal-00000010.log.tmp'), Buffer.alloc(100));
    writeFileSync(join(dir, 'telemetry.db'), 'other');
    writeFileSync(join(dir, 'wal-1.log'), 'other');
    const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    expect(rig.setAside.map((path) => path.slice(dir.length + 1))).toEqual([
      'wal-00000007.log.damaged-1',
      'wal-00000008.log.damaged-2',
      'wal-00000009.log.damaged-3',
    ]);
    rig.append(10);
    rig.close();
    expect(readdirSync(dir).sort()).toEqual([
      'telemetry.db',
      'wal-00000007.log.damaged-1',
      'wal-00000008.log.damaged-2',
      'wal-00000009.log.damaged-3',
      'wal-00000010.log',
      'wal-1.log',
    ]);
  });

  it('keeps few of what it sets aside, whatever it is', () => {
    const dir = tempDir();
    for (let turn = 1; turn <= 12; turn++) {
      if (turn % 3 === 0) mkdirSync(join(dir, 'wal-00000009.log'));
      else if (turn % 3 === 1) symlinkSync('nowhere', join(dir, 'wal-00000009.log'));
      else writeFileSync(join(dir, 'wal-00000009.log'), `letter ${turn}`);
      const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
      expect(rig.setAside).toEqual([join(dir, `wal-00000009.log.damaged-${turn}`)]);
      rig.close();
    }
    expect(readdirSync(dir).filter((name) => name.includes('damaged')).length).toBe(8);
    expect(readFileSync(join(dir, 'wal-00000009.log.damaged-11'), 'utf8')).toBe('letter 11');
  });

  it('goes on with segments of another size when the setting is changed', () => {
    const dir = tempDir();
    const rig = new LogRig({ dir, segmentBytes: 16 << 10 });
    rig.append(5_000);
    rig.close();
    const larger = new LogRig({ dir, segmentBytes: 32 << 10 });
    expect(numbersOf(larger.replayed.records)).toEqual(range(1, 5_001));
    larger.append(5_000);
    larger.sync();
    larger.wal.release((larger.wal.next - 1_000) as Sequence);
    const sizes = new Set(segmentsIn(dir).map((name) => statSync(join(dir, name)).size));
    expect(sizes).toEqual(new Set([32 << 10]));
    larger.close();
  });

  it('refuses a segment size that is no multiple of a block or out of bounds, and a folder that is not there', () => {
    for (const segmentBytes of [0, 4096, 20_000, 128 << 20]) expect(() => openWal({ dir: tempDir(), segmentBytes })).toThrow(RangeError);
    const missing = join(tempDir(), 'missing');
    expect(() => openWal({ dir: missing })).toThrow(
      expect.objectContaining({ code: 'store_failed', message: expect.stringContaining(missing) }),
    );
  });
});
