/** Damaged files: whatever happens to them, opening ends, shows no wrong record and everything that is not damaged, and names what is lost. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sequence } from '../../../../src/core/tag.ts';
import { DEFLATED_FLAG, HEADER_BYTES, MAGIC, MAX_BODY_BYTES, writeHeader } from '../../../../src/store/engine/wal/frame.ts';
import { type FoundFrame, readLog } from '../../../../src/store/engine/wal/recovery.ts';
import { useTempDirs } from '../../temp-dir.ts';
import { isLost, LogRig, numbersOf, range } from './log-rig.ts';
import { numberOf } from './shown.ts';

const SEGMENT_BYTES = 16 << 10;

interface Frame extends FoundFrame {
  readonly name: string;
  readonly numbers: readonly number[];
}

/** What is done to the files `names` of `dir`; gives the name of the one that may no longer hold what it held. */
type Damage = (dir: string, names: readonly string[]) => string | undefined;

const pick = (names: readonly string[], n: number) => names[n % names.length] as string;
const edited = (dir: string, name: string, edit: (bytes: Buffer) => void) => {
  const bytes = readFileSync(join(dir, name));
  edit(bytes);
  writeFileSync(join(dir, name), bytes);
};

const anyDamage: fc.Arbitrary<Damage> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(SEGMENT_BYTES - 1), fc.nat(7)).map(([file, at, bit]): Damage => {
    return (dir, names) => {
      const name = pick(names, file);
      edited(dir, name, (bytes) => bytes.writeUInt8((bytes[at] as number) ^ (1 << bit), at));
      return name;
    };
  }),
  fc.tuple(fc.nat(), fc.nat(SEGMENT_BYTES - 1), fc.uint8Array({ minLength: 1, maxLength: 6_000 })).map(([file, at, garbage]): Damage => {
    return (dir, names) => {
      const name = pick(names, file);
      edited(dir, name, (bytes) => bytes.set(garbage.subarray(0, bytes.length - at), at));
      return name;
    };
  }),
  fc.tuple(fc.nat(), fc.nat(SEGMENT_BYTES - 1), fc.nat(9_000)).map(([file, from, length]): Damage => {
    return (dir, names) => {
      const name = pick(names, file);
      edited(dir, name, (bytes) => bytes.fill(0, from, Math.min(from + length, bytes.length)));
      return name;
    };
  }),
  fc.tuple(fc.nat(), fc.nat(SEGMENT_BYTES)).map(([file, size]): Damage => {
    return (dir, names) => {
      const name = pick(names, file);
      truncateSync(join(dir, name), size);
      return name;
    };
  }),
  fc.tuple(fc.nat(), fc.nat()).map(([one, other]): Damage => {
    return (dir, names) => {
      renameSync(join(dir, pick(names, one)), join(dir, 'aside'));
      if (pick(names, one) !== pick(names, other)) renameSync(join(dir, pick(names, other)), join(dir, pick(names, one)));
      renameSync(join(dir, 'aside'), join(dir, pick(names, other)));
      return undefined;
    };
  }),
  fc.tuple(fc.nat(), fc.constantFrom('wal-00000000.log', 'wal-00000500.log')).map(([file, copy]): Damage => {
    return (dir, names) => {
      copyFileSync(join(dir, pick(names, file)), join(dir, copy));
      return undefined;
    };
  }),
  fc.tuple(fc.nat(), fc.boolean()).map(([file, keep]): Damage => {
    return (dir, names) => {
      const name = pick(names, file);
      if (keep) truncateSync(join(dir, name), 0);
      else rmSync(join(dir, name));
      return name;
    };
  }),
  fc.tuple(fc.uint8Array({ maxLength: 70_000, size: 'max' }), fc.nat(20)).map(([bytes, number]): Damage => {
    return (dir) => {
      const path = join(dir, `wal-${String(100 + number).padStart(8, '0')}.log`);
      writeFileSync(path, bytes);
      return undefined;
    };
  }),
);

/** The frames that count, and what each holds. */
function framesOf(rig: LogRig, dir: string, from: number): Frame[] {
  const { records, frames } = rig.replay(from);
  const numbers = records.map(numberOf);
  const found = readLog(dir, 0).frames.filter((frame) => frame.end > from);
  expect(found.map(({ first, end }) => ({ first, end }))).toEqual(frames.map(({ first, end }) => ({ first, end })));
  return found.map((frame, i) => ({
    ...frame,
    name: frame.path.slice(dir.length + 1),
    numbers: numbers.slice(frames[i]?.recordsBefore, frames[i + 1]?.recordsBefore),
  }));
}

describe('a damaged log', () => {
  const tempDir = useTempDirs();
  /** In memory where there is such a place: what counts here is the content of files, not that it is flushed. */
  const workDir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'wal-damage-'));
  afterAll(() => rmSync(workDir, { recursive: true }));
  const image = new Map<string, Buffer>();
  let frames: readonly Frame[] = [];
  let sealed = 0;
  let pushed = 0;

  /** Released and used segments, frames that grew and that did not, deflated ones, full segments and one that is not. */
  beforeAll(() => {
    const dir = mkdtempSync(join(tmpdir(), 'wal-damage-'));
    let rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    for (let round = 0; round < 120; round++) {
      rig.append(5 + ((round * 37) % 70));
      if (round % 3 !== 1) rig.sync();
      if (round === 40) {
        sealed = rig.wal.next;
        rig.wal.release(sealed as Sequence);
      }
      if (round !== 80) continue;
      rig.close();
      rig = new LogRig({ ...rig.options, compress: true }, sealed, rig.pushed);
    }
    rig = rig.reopened(sealed);
    pushed = rig.pushed;
    frames = framesOf(rig, dir, sealed);
    rig.close();
    for (const name of readdirSync(dir)) image.set(name, readFileSync(join(dir, name)));
    rmSync(dir, { recursive: true });
    expect(frames.length).toBeGreaterThan(50);
    expect(image.size).toBeGreaterThan(5);
  });

  it('is opened whatever was done to its files: all that is sound is shown and nothing else, and the rest is named', () => {
    let lossy = 0;
    let runs = 0;
    fc.assert(
      fc.property(anyDamage, (damage) => {
        const dir = join(workDir, String(runs));
        mkdirSync(dir);
        for (const [name, bytes] of image) writeFileSync(join(dir, name), bytes);
        const damaged = damage(dir, [...image.keys()]);
        const now = damaged !== undefined && existsSync(join(dir, damaged)) ? readFileSync(join(dir, damaged)) : Buffer.alloc(0);
        const isHit = ({ name, at, bytes }: Frame) =>
          name === damaged && !now.subarray(at, at + bytes).equals(image.get(name)?.subarray(at, at + bytes) ?? now);
        const sound = frames.filter((frame) => !isHit(frame));
        const numbers = sound.flatMap((frame) => frame.numbers);
        const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES }, sealed, pushed);
        expect(numbersOf(rig.replayed.records)).toEqual(numbers);
        const { lost } = rig.replayed.report;
        for (const frame of sound) expect(isLost(lost, frame.first) || isLost(lost, frame.end - 1)).toBe(false);
        const reached = sound.at(-1)?.end ?? 0;
        for (const frame of frames.filter(isHit)) {
          if (frame.end > reached) continue; // at the end nobody can tell it from a frame that was never finished
          lossy++;
          expect(isLost(lost, Math.max(frame.first, sealed)) && isLost(lost, frame.end - 1)).toBe(true);
          const place = lost.find((range) => frame.first >= range.from && frame.first < range.to);
          if (place?.from === frame.first && place.segment === frame.name) expect(frame.at - place.offset).toBeLessThan(4096);
        }
        if (runs++ % 4 !== 0) {
          rig.close();
          rmSync(dir, { recursive: true });
          return;
        }
        rig.append(300);
        const again = rig.reopened(sealed);
        expect(numbersOf(again.replayed.records)).toEqual([...numbers, ...range(pushed, pushed + 300)]);
        again.close();
        rmSync(dir, { recursive: true });
      }),
      { numRuns: 500 },
    );
    expect(lossy).toBeGreaterThan(100);
  }, 120_000);

  it('loses nothing to a damage of one of two copies of a segment', () => {
    const dir = tempDir();
    for (const [name, bytes] of image) writeFileSync(join(dir, name), bytes);
    const { name, at } = frames[7] as Frame;
    copyFileSync(join(dir, name), join(dir, 'wal-00000900.log'));
    edited(dir, name, (bytes) => bytes.fill(0xff, at, at + 5));
    const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES }, sealed);
    expect(numbersOf(rig.replayed.records)).toEqual(frames.flatMap((frame) => frame.numbers));
    expect(rig.replayed.report.lost).toEqual([]);
    rig.close();
  });

  it('does not show a frame that comes alive behind one that was written later with the same sequences', () => {
    const dir = tempDir();
    const older = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    older.append(5);
    older.sync();
    older.append(20);
    older.close();
    const [, stale] = readLog(dir, 0).frames;
    const bytes = readFileSync(join(dir, 'wal-00000001.log')).subarray(stale?.at, (stale?.at ?? 0) + (stale?.bytes ?? 0));
    rmSync(join(dir, 'wal-00000001.log'));
    const rig = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    rig.append(300);
    rig.close();
    edited(dir, 'wal-00000001.log', (file) => bytes.copy(file, 12 << 10));
    const again = new LogRig({ dir, segmentBytes: SEGMENT_BYTES });
    expect(again.replayed.report).toMatchObject({ frames: 1, lost: [] });
    expect(numbersOf(again.replayed.records)).toEqual(range(1, 301));
    again.close();
  });

  it('opens within a bound when a file is made to look like frames everywhere', () => {
    const dir = tempDir();
    const hostile = Buffer.alloc(8 << 20);
    for (let at = 0; at < hostile.length; at += 8) {
      hostile.writeUInt32LE(MAGIC, at);
      hostile.writeUInt32LE(MAX_BODY_BYTES - 4096 - (at % 4096), at + 4);
    }
    writeFileSync(join(dir, 'wal-00000001.log'), hostile);
    const started = process.cpuUsage();
    const rig = new LogRig({ dir });
    const usedMs = process.cpuUsage(started).user / 1000;
    expect(usedMs).toBeLessThan(5_000);
    rig.close();
  });

  it('survives frames whose checksums hold but whose bodies are nonsense or inflate without end', () => {
    const bomb = deflateRawSync(Buffer.alloc(64 << 20));
    for (const [flags, body] of [
      [0, Buffer.from([0x0f, 0xff, 0xff, 0xff, 0x7f])],
      [0, Buffer.from([0x4e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1])],
      [DEFLATED_FLAG, bomb],
      [DEFLATED_FLAG, Buffer.from('no deflated bytes')],
    ] as const) {
      const dir = tempDir();
      const file = Buffer.alloc(128 << 10);
      body.copy(file, HEADER_BYTES);
      const header = { bodyBytes: body.length, version: 1, flags, first: 0, slots: 10, generation: 1 };
      writeHeader(file, 0, header, crc32(body, 0));
      writeFileSync(join(dir, 'wal-00000001.log'), file);
      const rig = new LogRig({ dir, segmentBytes: 128 << 10 }, 0, 1);
      expect(rig.replayed.records).toEqual([]);
      expect(rig.replayed.report.lost).toEqual([{ segment: 'wal-00000001.log', offset: 0, from: 0, to: 10 }]);
      rig.append(5);
      const again = rig.reopened(10);
      expect(numbersOf(again.replayed.records)).toEqual(range(1, 6));
      again.close();
    }
  });
});
