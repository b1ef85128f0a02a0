/**
 * What has arrived since a cursor. From the log, as long as it reaches back so far: sample by sample in order of arrival. Before that
 * from what was sealed: the files of days and the parts of windows by their last arrival, each whole.
 */
import { GatewayError } from '../../core/errors.ts';
import type { Sequence, SeriesId } from '../../core/tag.ts';
import { ColumnsBuilder } from '../columns.ts';
import type { ChangesPage } from '../telemetry.ts';
import type { Progress } from './catalogue.ts';
import type { Day, Part, Report } from './catalogue-reads.ts';
import { BLOCKS_PER_DAY, DAY_MS, dayOf, WINDOW_MS } from './grid.ts';
import { type Layout, partRun } from './reader.ts';
import { lowerBound, type Run } from './run.ts';
import { sampleVisitor } from './sample-visitor.ts';
import type { Wal } from './wal/log.ts';
import type { LostRange } from './wal/replay.ts';

/** A place in the log, as a decimal number: the sequence of its frame's first record and the samples before it in the frame. */
const LOG_CURSOR = /^\d{1,15}$/;

/**
 * A place in what is sealed: behind the sample (block, series, time) of the unit that these numbers rank. Units are ranked by last
 * sequence, end, kind (a day behind its windows) and number, so that a day file comes behind every part that it has taken over.
 * `log` is where the log began when the reading of units did: there it goes on behind the last unit.
 */
const UNIT_CURSOR = ['log', 'lastSequence', 'endMs', 'kind', 'number', 'block', 'series', 'timeMs'] as const;
type UnitCursor = Record<(typeof UNIT_CURSOR)[number], number>;

interface Unit {
  /** As in the cursor: lastSequence, endMs, kind, number. */
  readonly rank: readonly [number, number, number, number];
  readonly firstSequence: number;
  readonly source: Part | Day;
}

interface Sample {
  readonly block: number;
  readonly series: SeriesId;
  readonly run: Run;
  readonly index: number;
}

export class Changes {
  readonly #layout: Layout;
  readonly #wal: Wal;
  readonly #progress: () => Progress;
  readonly #report: Report;

  constructor(layout: Layout, wal: Wal, progress: () => Progress, report: Report) {
    this.#report = report;
    this.#layout = layout;
    this.#wal = wal;
    this.#progress = progress;
  }

  /** Throws `invalid_cursor`. */
  page(cursor: string | null, limit: number): ChangesPage {
    const columns = new ColumnsBuilder();
    let place = cursor === null || LOG_CURSOR.test(cursor) ? undefined : parseCursor(cursor);
    let from = place ? place.log : Number(cursor ?? 0);
    for (;;) {
      if (!place) {
        const log = this.#logStart();
        if (from >= log) {
          const next = this.#log(from as Sequence, columns, limit);
          return { columns: columns.build(), next };
        }
        place = beforeUnits(log, from);
      }
      const next = this.#units(place, columns, limit);
      if (next) return { columns: columns.build(), next: printCursor(next) };
      from = place.log;
      place = undefined;
    }
  }

  #logStart(): number {
    const { kept } = this.#progress();
    return this.#wal.durable.start(kept) ?? kept;
  }

  /** Fills the columns from the log; returns the cursor behind. */
  #log(from: Sequence, columns: ColumnsBuilder, limit: number): string {
    const { gone } = this.#progress();
    let arrival = 0;
    let next = from;
    let frameEnd = 0;
    const visitor = sampleVisitor(
      (series, timeMs, number, wide, status) => {
        const at = arrival++;
        if (at < from || columns.rows === limit) return;
        next = (at + 1) as Sequence;
        if (gone.size === 0 || frameEnd > (gone.get(dayOf(timeMs)) ?? 0)) columns.add(series, timeMs, wide ?? number, status);
      },
      () => {},
    );
    const frame = (first: Sequence, end: Sequence) => {
      arrival = first;
      frameEnd = end;
    };
    let at: Sequence | undefined = from;
    const lost = (range: LostRange) => this.#report(`the log in ${range.segment}: samples cannot be read any more`, range);
    while (at !== undefined && columns.rows < limit) {
      at = this.#wal.durable.read(at, limit - columns.rows, { ...visitor, frame, lost });
      if (at !== undefined && columns.rows < limit) next = at;
    }
    return String(next);
  }

  /** Fills the columns from sealed units behind `place`; returns the place behind, or undefined when there are no more. */
  #units(place: UnitCursor, columns: ColumnsBuilder, limit: number): UnitCursor | undefined {
    for (const unit of this.#sealed(place.log)) {
      const side = compare(unit.rank, [place.lastSequence, place.endMs, place.kind, place.number]);
      if (side < 0) continue;
      const [lastSequence, endMs, kind, number] = unit.rank;
      for (const { block, series, run, index } of this.#samples(unit.source, side === 0 ? place : undefined)) {
        const timeMs = run.timeMs[index] as number;
        columns.add(series, timeMs, run.wide?.[index] ?? (run.numbers[index] as number), run.status?.[index] ?? 0);
        if (columns.rows === limit) return { log: place.log, lastSequence, endMs, kind, number, block, series, timeMs };
      }
    }
    return undefined;
  }

  /** The samples of a unit, or those of them behind a place: by block, series and time. */
  *#samples(source: Part | Day, behind: UnitCursor | undefined): Generator<Sample, void, undefined> {
    const blocks = 'day' in source ? BLOCKS_PER_DAY : 1;
    for (let block = behind?.block ?? 0; block < blocks; block++) {
      const at = behind?.block === block ? behind : undefined;
      for (const series of this.#seriesOf(source)) {
        if (at && series < at.series) continue;
        const fromMs = at?.series === series ? at.timeMs + 1 : Number.NEGATIVE_INFINITY;
        for (const run of this.#runs(source, { block, series, fromMs })) {
          for (let index = lowerBound(run.timeMs, run.count, fromMs); index < run.count; index++) yield { block, series, run, index };
        }
      }
    }
  }

  /** What is sealed and does not lie in the log from `log` on, in the order of ranks. */
  #sealed(log: number): Unit[] {
    const { parts, days } = this.#layout;
    const ofParts = parts.all().map((part): Unit => {
      const rank = [part.lastSequence, (part.window + 1) * WINDOW_MS, 0, part.part] as const;
      return { rank, firstSequence: part.firstSequence, source: part };
    });
    const ofDays = days.all().map((day): Unit => {
      const rank = [day.lastSequence, (day.day + 1) * DAY_MS, 1, day.generation] as const;
      return { rank, firstSequence: day.firstSequence, source: day };
    });
    return [...ofParts, ...ofDays].filter(({ firstSequence }) => firstSequence < log).sort((a, b) => compare(a.rank, b.rank));
  }

  #seriesOf(source: Part | Day): readonly SeriesId[] {
    return 'day' in source ? this.#layout.days.seriesOf(source.day) : this.#layout.catalogue.seriesOf(source);
  }

  /** In order of time, those that may have samples at `fromMs` or later. */
  *#runs(source: Part | Day, { block, series, fromMs }: { block: number; series: SeriesId; fromMs: number }): Generator<Run, void> {
    const { days } = this.#layout;
    if (!('day' in source)) {
      const run = partRun(this.#layout, source, series);
      if (run) yield run;
      return;
    }
    for (const stretch of days.stretches(source.day, series, block)) {
      const run = stretch.toMs > fromMs ? days.run(source.day, series, block, stretch) : undefined;
      if (run) yield run;
    }
  }
}

/** The place before every unit whose last sample came in at `from` or later. */
function beforeUnits(log: number, from: number): UnitCursor {
  const none = Number.NEGATIVE_INFINITY;
  return { log, lastSequence: from, endMs: none, kind: 0, number: 0, block: 0, series: 0, timeMs: none };
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, index) => number !== b[index]);
  return at < 0 ? 0 : (a[at] as number) < (b[at] as number) ? -1 : 1;
}

function printCursor(place: UnitCursor): string {
  return Buffer.from(JSON.stringify(UNIT_CURSOR.map((name) => place[name]))).toString('base64url');
}

function parseCursor(cursor: string): UnitCursor {
  try {
    const numbers: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(numbers) && numbers.length === UNIT_CURSOR.length && numbers.every(Number.isSafeInteger)) {
      return Object.fromEntries(UNIT_CURSOR.map((name, index) => [name, numbers[index]])) as UnitCursor;
    }
  } catch (error) {
    throw new GatewayError('invalid_cursor', 'the cursor is not one of ours', { cause: error });
  }
  throw new GatewayError('invalid_cursor', 'the cursor is not one of ours');
}
