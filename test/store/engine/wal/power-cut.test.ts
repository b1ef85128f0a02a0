/**
 * Power cuts, simulated: of what was written to a file since its last flush any sector may have reached the disk or not, in any order. What was
 * synced is there after every cut, nothing is there that was not pushed, and what one cut took never comes back after the next.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sequence } from '../../../../src/core/tag.ts';
import type { WalPoint } from '../../../../src/store/engine/wal/segment.ts';
import { useTempDirs } from '../../temp-dir.ts';
import { LogRig, numbersOf, range } from './log-rig.ts';

const SECTOR_BYTES = 512;
type Image = ReadonlyMap<string, Buffer>;

class PowerCut extends Error {}

function imageOf(dir: string): Map<string, Buffer> {
  return new Map(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name))]));
}

/** A disk on which of each sector that differs either the durable or the written content stands. */
function cut(durable: Image, written: Image, dir: string, keeps: () => boolean): void {
  mkdirSync(dir);
  for (const [name, bytes] of written) {
    const old = durable.get(name);
    if (!old && name.endsWith('.tmp') && keeps()) continue;
    const mixed = Buffer.from(bytes);
    for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
      const end = Math.min(at + SECTOR_BYTES, bytes.length);
      const before = old?.subarray(at, end) ?? Buffer.alloc(end - at);
      if (!before.equals(bytes.subarray(at, end)) && !keeps()) before.copy(mixed, at);
    }
    writeFileSync(join(dir, name), mixed);
  }
}

type Act = number | 'sync' | 'release' | { readonly cutAfter: number; readonly seed: number };

/** A log on a disk that loses its power now and then, and what it must hold. */
class Plant {
  cuts = 0;
  /** Cuts that took something. */
  losses = 0;
  readonly #base: string;
  readonly #compress: boolean;
  #dir: string;
  #rig: LogRig;
  #durable = new Map<string, Buffer>();
  #stepsLeft = Number.POSITIVE_INFINITY;
  /** Numbers of the records that must be there from now on, and the first number that may be lost. */
  #kept: number[] = [];
  #open = 1;
  #sealed = 0;

  constructor(base: string, compress: boolean) {
    this.#base = base;
    this.#compress = compress;
    this.#dir = join(base, '0');
    mkdirSync(this.#dir);
    this.#rig = this.#openRig(1);
  }

  do(act: Act): void {
    try {
      this.#try(act);
    } catch (error) {
      if (this.#stepsLeft >= 0) throw error; // else it is the power that is gone
    }
    if (typeof act === 'object') this.#cut(act.seed);
  }

  #try(act: Act): void {
    if (typeof act === 'number') {
      this.#rig.append(act);
    } else if (act === 'sync') {
      this.#sync();
    } else if (act === 'release') {
      this.#sync();
      this.#sealed = this.#rig.wal.next;
      this.#kept = [];
      this.#rig.wal.release(this.#sealed as Sequence);
    } else {
      this.#stepsLeft = act.cutAfter;
      for (let i = 0; i < 8; i++) {
        this.#rig.append(40);
        if (i === 5) this.#sync();
      }
    }
  }

  #sync(): void {
    this.#rig.sync();
    this.#kept.push(...range(this.#open, this.#rig.pushed));
    this.#open = this.#rig.pushed;
  }

  #cut(seed: number): void {
    const written = imageOf(this.#dir);
    this.#stepsLeft = -1;
    try {
      this.#rig.close(); // which writes nothing more: each of its steps fails
    } catch (error) {
      expect(error).toMatchObject({ code: 'store_failed' });
    }
    this.#stepsLeft = Number.POSITIVE_INFINITY;
    this.#dir = join(this.#base, String(++this.cuts));
    let random = seed;
    cut(this.#durable, written, this.#dir, () => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      return random >>> 31 === 1;
    });
    this.#durable = imageOf(this.#dir);
    const { pushed } = this.#rig;
    this.#rig = this.#openRig(pushed);
    const found = numbersOf(this.#rig.replayed.records).filter((number) => number >= (this.#kept[0] ?? this.#open));
    expect(found.slice(0, this.#kept.length)).toEqual(this.#kept);
    const more = found.slice(this.#kept.length);
    for (const number of more) expect(number).toSatisfy((candidate: number) => candidate >= this.#open && candidate < pushed);
    if (more.length < pushed - this.#open) this.losses++;
    this.#kept = found;
    this.#open = pushed;
  }

  #openRig(pushed: number): LogRig {
    const hook = (point: WalPoint, path: string) => {
      if (this.#stepsLeft-- <= 0) throw new PowerCut(point);
      if (point === 'sync:done' || point === 'create:renamed') this.#durable.set(basename(path), readFileSync(path));
    };
    return new LogRig({ dir: this.#dir, segmentBytes: 16 << 10, maxSegments: 500, compress: this.#compress, hook }, this.#sealed, pushed);
  }
}

describe('the log after a power cut', () => {
  const tempDir = useTempDirs();

  it('holds all that was synced, nothing else but what was pushed since, and never again what an earlier cut took', () => {
    let cuts = 0;
    let losses = 0;
    const anyAct: fc.Arbitrary<Act> = fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 250 }) },
      { weight: 3, arbitrary: fc.constant('sync' as const) },
      { weight: 1, arbitrary: fc.constant('release' as const) },
      { weight: 3, arbitrary: fc.record({ cutAfter: fc.nat(40), seed: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(anyAct, { minLength: 10, maxLength: 50 }), fc.boolean(), (acts, compress) => {
        const plant = new Plant(tempDir(), compress);
        for (const act of acts) plant.do(act);
        plant.do({ cutAfter: 10, seed: acts.length });
        cuts += plant.cuts;
        losses += plant.losses;
      }),
      { numRuns: 40 },
    );
    expect(cuts).toBeGreaterThan(100);
    expect(losses).toBeGreaterThan(20);
  });
});
