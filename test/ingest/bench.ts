/** A pipeline on a small ring with a store that tests drive by hand, and what the consumer heard. */
import type { EmitTag } from '../../src/core/emit.ts';
import { type RecordVisitor, Ring } from '../../src/core/ring.ts';
import type { StatusCode } from '../../src/core/status.ts';
import type { Scalar, Sequence, SeriesDef, SeriesId } from '../../src/core/tag.ts';
import { MAX_AHEAD_MS, type UnixMs } from '../../src/core/time.ts';
import { Door } from '../../src/ingest/door.ts';
import { Account } from '../../src/ingest/ledger.ts';
import { type Committer, type Consumer, Pipeline } from '../../src/ingest/pipeline.ts';
import type { SeriesLimits } from '../../src/ingest/series-limits.ts';
import type { LedgerCounts } from '../../src/ingest/source-state.ts';
import { TagTable } from '../../src/ingest/tag-table.ts';
import { ManualClock } from '../support/manual-clock.ts';

export interface Sample {
  readonly series: SeriesId;
  readonly timeMs: number;
  /** NaN means no value. */
  readonly value: Scalar;
  readonly status: number;
  readonly historical: boolean;
}

export class Samples implements Consumer {
  readonly all: Sample[] = [];

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void {
    this.all.push({ series, timeMs, value, status, historical });
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, _signed: boolean, status: StatusCode, historical: boolean): void {
    this.all.push({ series, timeMs, value, status, historical });
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void {
    this.all.push({ series, timeMs, value, status, historical });
  }
}

/** Reads through a ring object of its own, as the worker does; does nothing by itself. */
export class ModelStore implements Committer {
  readonly written = new Samples();
  readonly definitions = new Map<SeriesId, SeriesDef>();
  readonly #held = new Map<string, number>();
  relieved = 0;
  /** What being relieved does: nothing in a store that hangs. */
  onFlush: () => void = () => undefined;
  readonly #buffer: SharedArrayBuffer;
  readonly #slots: number;
  #ring: Ring;
  #read: Sequence;
  #waiters: { readonly sequence: Sequence; readonly resolve: () => void }[] = [];

  constructor(ring: Ring) {
    this.#buffer = ring.buffer;
    this.#slots = ring.slots;
    this.#ring = new Ring(ring.slots, ring.buffer);
    this.#read = ring.head;
  }

  /** Writes what is published, at least `limit` slots of it. Every record's series must have been defined before. */
  write(limit = Number.POSITIVE_INFINITY): void {
    const record = (series: SeriesId): Samples => {
      const source = this.definitions.get(series)?.source;
      if (source === undefined) throw new Error(`series ${series} was not defined before its first sample`);
      this.#held.set(source, this.heldOf(source) + 1);
      return this.written;
    };
    const visitor: RecordVisitor = {
      define: (series, def) => this.definitions.set(series, def),
      number: (series, ...rest) => record(series).number(series, ...rest),
      integer: (series, ...rest) => record(series).integer(series, ...rest),
      text: (series, ...rest) => record(series).text(series, ...rest),
    };
    this.#read = this.#ring.visit(this.#read, this.#ring.publishedFrom(this.#read), visitor, limit);
    this.#ring.setWritten(this.#read);
  }

  /** How many samples of a source it has written. */
  heldOf(source: string): number {
    return this.#held.get(source) ?? 0;
  }

  sync(): void {
    this.#ring.setDurable(this.#read);
    const waiting = this.#waiters;
    this.#waiters = waiting.filter(({ sequence }) => sequence > this.#read);
    for (const { sequence, resolve } of waiting) if (sequence <= this.#read) resolve();
  }

  drain(): void {
    this.write();
    this.sync();
  }

  /** The worker ends and another takes over from what is written. */
  die(): void {
    this.#ring = new Ring(this.#slots, this.#buffer);
  }

  relieve(): void {
    this.relieved++;
    this.onFlush();
  }

  durable(sequence: Sequence): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ sequence, resolve }));
  }
}

export interface Bench {
  readonly clock: ManualClock;
  readonly tags: TagTable;
  readonly ring: Ring;
  readonly store: ModelStore;
  readonly live: Samples;
  readonly pipeline: Pipeline;
  /** What the tag table told of, in order. */
  readonly announced: (readonly [SeriesId, SeriesDef])[];
  account(source: string): Account;
  door(source?: string): Door;
  /** Drives the store to the end and returns what it then holds of a source. */
  stored(source?: string): Sample[];
}

export interface BenchOptions {
  readonly slots?: number;
  readonly start?: number;
  readonly latestMs?: () => UnixMs;
  readonly consumer?: (live: Samples) => Consumer;
  readonly limits?: SeriesLimits;
}

export function bench(options: BenchOptions = {}): Bench {
  const clock = new ManualClock();
  const ring = new Ring(options.slots ?? 512);
  ring.startAt((options.start ?? 0) as Sequence);
  const store = new ModelStore(ring);
  const live = new Samples();
  const announced: [SeriesId, SeriesDef][] = [];
  const tags = new TagTable((series, def) => announced.push([series, def]), options.limits);
  const pipeline = new Pipeline({ ring, tags, clock, committer: store, consumer: options.consumer?.(live) ?? live });
  const accounts = new Map<string, Account>();
  const account = (source: string): Account => {
    const known = accounts.get(source) ?? new Account();
    accounts.set(source, known);
    return known;
  };
  return {
    clock,
    tags,
    ring,
    store,
    live,
    pipeline,
    announced,
    account,
    door: (source = 'plc') =>
      new Door({
        pipeline,
        account: account(source),
        source,
        tenant: 'default',
        isTenant: (tenant) => tenant === 'default' || tenant === 'plant-2',
        latestMs: options.latestMs ?? (() => (clock.now() + MAX_AHEAD_MS) as UnixMs),
      }),
    stored: (source = 'plc') => {
      pipeline.publish();
      store.drain();
      pipeline.settle();
      return store.written.all.filter(({ series }) => tags.definition(series).source === source);
    },
  };
}

/** The series of a tag of asset `pump`; fails where the door refuses it. */
export function open(door: Door, tag = 'flow', wish: Partial<EmitTag> = {}): SeriesId {
  const series = door.series({ asset: 'pump', tag, ...wish });
  if (series === undefined) throw new Error(`the door refused ${tag}`);
  return series;
}

/** 0 when every reading is accounted for. */
export function missingIn(counts: LedgerCounts): number {
  const sum = (of: Readonly<Record<string, number>>) => Object.values(of).reduce((total, count) => total + count, 0);
  const { received, committed, deadbanded, deduplicated, inFlight } = counts;
  return received - (committed + deadbanded + deduplicated + sum(counts.rejected) + sum(counts.dropped) + inFlight);
}
