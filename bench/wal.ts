/**
 * The write-ahead log on 1,000 tags at 1 s: time and bytes a sample of the encoder and of the log, and the time of a replay. Run it with
 * `npx tsx bench/wal.ts`. Times are CPU times of this process, the best of several rounds; the load is that of the machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RecordVisitor, Ring } from '../src/core/ring.ts';
import { BAD_TIMEOUT, GOOD } from '../src/core/status.ts';
import type { Sequence, SeriesId } from '../src/core/tag.ts';
import type { UnixMs } from '../src/core/time.ts';
import { BodyDecoder } from '../src/store/engine/wal/body-decoder.ts';
import { BodyEncoder } from '../src/store/engine/wal/body-encoder.ts';
import { BLOCK_BYTES } from '../src/store/engine/wal/frame.ts';
import { openWal } from '../src/store/engine/wal/open-wal.ts';

const TAGS = 1_000;
const SECONDS = 120;
const SLOTS = 1 << 17;
const ROUNDS = 25;

/** Uniform in [0, 1), the same numbers at each run. */
let state = 1;
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}
const normal = () => random() + random() + random() + random() - 2;

/** One value a second by class: of each 1,000 tags 200 f64 and 200 f32 temperatures, 150 noisy, 100 ADC, 100 counters, 200 bools, 50 set-points. */
function sourceOf(tag: number, shuffled: boolean): () => number {
  const place = shuffled ? (tag * 617) % TAGS : tag;
  const base = 20 + random() * 60;
  let walk = 0;
  const temperature = () => {
    walk += 0.05 * normal();
    return Math.round((base + walk) * 10) / 10;
  };
  if (place < 200) return temperature;
  if (place < 400) return () => Math.fround(temperature());
  if (place < 500) return () => Math.fround(base / 10 + 0.02 * normal());
  if (place < 550) return () => base * 10 + 0.3 * normal();
  if (place < 650) return () => Math.round(13_000 + 10 * normal()) * (base * 1e-4) - base;
  if (place < 750) {
    let count = Math.floor(random() * 1e6);
    return () => {
      count += Math.round(random() * 5);
      return count;
    };
  }
  if (place < 950) return () => (place % 2 === 0 || random() < 0.002 ? 1 : 0);
  return () => Math.round(base * 2) / 2;
}

/** 700 tags polled in groups of 50 with one time, 300 with their own; one in 200 is bad. */
function fill(shuffled: boolean): Ring {
  const ring = new Ring(SLOTS);
  const sources = Array.from({ length: TAGS }, (_, tag) => sourceOf(tag, shuffled));
  for (let second = 0; second < SECONDS; second++) {
    let timeMs = 0;
    sources.forEach((next, tag) => {
      if (tag >= 700 || tag % 50 === 0) timeMs = 1_790_000_000_000 + second * 1_000 + Math.floor(tag / 50) * 17 + Math.round(3 * normal());
      const status = random() < 0.005 ? BAD_TIMEOUT : GOOD;
      ring.pushNumber((tag + 1) as SeriesId, timeMs as UnixMs, next(), status);
    });
  }
  ring.publish();
  return ring;
}

/** Nanoseconds of CPU a sample. */
function cpuNs(samples: number, act: () => void, rounds = ROUNDS): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    act();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, ((user + system) * 1_000) / samples);
  }
  return best;
}

const out = Buffer.alloc(8 << 20);
const encoder = new BodyEncoder(out);
const decoder = new BodyDecoder();
let seen = 0;
const counting: RecordVisitor = { define: () => seen++, number: () => seen++, integer: () => seen++, text: () => seen++ };
const samples = TAGS * SECONDS;

/** Encodes all as the bodies of frames of so many samples, each to the start of `out`. */
function encodeAll(ring: Ring, perFrame: number, take: (body: Buffer) => void): void {
  for (let at = 0; at < samples; at += perFrame) {
    encoder.restart(0);
    encoder.encode(ring, at as Sequence, Math.min(samples, at + perFrame) as Sequence, perFrame);
    take(out.subarray(0, encoder.end));
  }
}

function body(name: string, ring: Ring, perFrame: number): void {
  const encodeNs = cpuNs(samples, () =>
    encodeAll(ring, perFrame, (one) => {
      seen += one.length;
    }),
  );
  const bodies: Buffer[] = [];
  encodeAll(ring, perFrame, (one) => bodies.push(Buffer.from(one)));
  const bytes = bodies.reduce((sum, one) => sum + one.length, 0);
  const decodeNs = cpuNs(samples, () => {
    for (const one of bodies) decoder.decode(one, counting);
  });
  const figures = `${(bytes / samples).toFixed(3)} B/sample, encode ${encodeNs.toFixed(1)} ns, decode ${decodeNs.toFixed(1)} ns`;
  console.log(`${name}, frames of ${perFrame}: ${figures}`);
}

/** Appends every `writes`-th of a second, syncs once in `syncSeconds`; counts the blocks that the syncs had to write. */
function log(name: string, ring: Ring, writes: number, syncSeconds: number, compress: boolean): void {
  const dir = mkdtempSync(join(tmpdir(), 'bench-wal-'));
  try {
    const { wal } = openWal({ dir, compress });
    let blocks = 0;
    let frameBytes = 0;
    const appendNs = cpuNs(
      samples,
      () => {
        const step = TAGS / writes;
        for (let at = 0; at < samples; at += step) {
          wal.append(ring, at as Sequence, (at + step) as Sequence);
          if ((at + step) % (TAGS * syncSeconds) !== 0) continue;
          const { unsyncedBytes } = wal.stats;
          blocks += Math.ceil(unsyncedBytes / BLOCK_BYTES);
          frameBytes += unsyncedBytes;
          wal.sync();
        }
      },
      1,
    );
    wal.close();
    const { replay } = openWal({ dir });
    const replayNs = cpuNs(samples, () => replay(counting, 0 as Sequence), 5);
    const written = `${(frameBytes / samples).toFixed(3)} B/sample, ${((blocks * BLOCK_BYTES) / samples).toFixed(2)} B/sample in blocks`;
    console.log(`${name}: ${written}, append and sync ${appendNs.toFixed(0)} ns, replay ${replayNs.toFixed(0)} ms/M`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const mixed = fill(true);
const grouped = fill(false);
const visitNs = cpuNs(samples, () => mixed.visit(0 as Sequence, samples as Sequence, counting));
console.log(`load ${loadavg()[0]?.toFixed(1)}; a bare Ring.visit ${visitNs.toFixed(1)} ns`);
body('classes mixed in a poll', mixed, 1_000);
body('classes mixed in a poll', mixed, 10_000);
body('one class a poll', grouped, 1_000);
body('one class a poll', grouped, 10_000);
log('write 1 s, sync 1 s', mixed, 1, 1, false);
log('write 100 ms, sync 1 s', mixed, 10, 1, false);
log('write 1 s, sync 10 s', mixed, 1, 10, false);
log('write 1 s, sync 10 s, deflated', mixed, 1, 10, true);
console.log(`load ${loadavg()[0]?.toFixed(1)}; ${seen > 0 ? 'replayed' : 'nothing replayed'}`);
