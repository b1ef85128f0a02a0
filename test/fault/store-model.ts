/** What a store that was fed with the plant's records must answer, and the comparison. */
import type { SeriesDef, SeriesId } from '../../src/core/tag.ts';
import type { Engine } from '../../src/store/engine.ts';
import type { Columns, Step } from '../../src/store/telemetry.ts';
import { ALWAYS } from '../store/contract/rig.ts';
import { localDays } from '../store/local-days.ts';
import { hash, isDefinition, nowAt, type Place, plantRecord } from './store-plant.ts';

const DAY_MS = 86_400_000;
const BAD = 0x8000_0000;
const PAGE = 10_000_000;

type Value = number | string | bigint | null;

export interface Cell {
  readonly series: number;
  readonly value: Value;
  readonly status: number;
  /** What was written before at the same place, the newest first; any of it may come to light again where a block is damaged. */
  readonly before: Cell | undefined;
}

interface Tag {
  readonly series: SeriesId[];
  readonly cells: Map<number, Cell>;
}

/** How a store may fall short. */
export interface Allowance {
  /** Samples before may be missing: they are older than what is kept. */
  readonly fromMs?: number;
  /** Any sample may be missing, or be as it was before it was overwritten. */
  readonly damaged?: boolean;
}

export class Model {
  /** How many records it holds, and where the next one begins. */
  place: Place = { n: 0, sequence: 0 };
  readonly defs = new Map<SeriesId, SeriesDef>();
  readonly bySeries = new Map<SeriesId, Map<number, Cell>>();
  readonly #byTag = new Map<string, Tag>();

  /** Takes in all records before `place`. */
  growTo(place: Place): void {
    for (let n = this.place.n; n < place.n; n++) {
      const record = plantRecord(n);
      if (isDefinition(record)) this.#define(record.series, record.def);
      else this.#take(record.series, record.timeMs, typeof record.value === 'boolean' ? Number(record.value) : record.value, record.status);
    }
    this.place = place;
  }

  get tags(): readonly Tag[] {
    return [...this.#byTag.values()];
  }

  get nowMs(): number {
    return nowAt(this.place.n);
  }

  #define(series: SeriesId, def: SeriesDef): void {
    this.defs.set(series, def);
    const tag: Tag = this.#byTag.get(def.tag) ?? { series: [], cells: new Map() };
    if (!tag.series.includes(series)) tag.series.push(series);
    this.#byTag.set(def.tag, tag);
    if (!this.bySeries.has(series)) this.bySeries.set(series, new Map());
  }

  #take(series: SeriesId, timeMs: number, value: Value, status: number): void {
    const tag = this.defs.get(series)?.tag as string;
    for (const cells of [this.bySeries.get(series), this.#byTag.get(tag)?.cells]) {
      cells?.set(timeMs, { series, value, status, before: cells.get(timeMs) });
    }
  }
}

function valueAt({ wide, numbers }: Columns, row: number): Value {
  const number = numbers[row] as number;
  return wide?.[row] ?? (Number.isNaN(number) ? null : number);
}

function show(value: unknown): string {
  return typeof value === 'bigint' ? `${value}n` : JSON.stringify(value);
}

function isCell(cell: Cell, columns: Columns, row: number): boolean {
  return cell.series === columns.series[row] && Object.is(cell.value, valueAt(columns, row)) && cell.status === columns.status[row];
}

/** True when the row is what was written there, at some time or, unless damage excuses it, last. */
function wasWritten(cell: Cell | undefined, columns: Columns, row: number, damaged: boolean): boolean {
  for (let at = cell; at; at = damaged ? at.before : undefined) if (isCell(at, columns, row)) return true;
  return false;
}

/** Compares rows of one tag or series with its cells; returns how many of them are missing. Throws at the first wrong or doubled one. */
function missingOf(
  what: string,
  columns: Columns,
  cells: ReadonlyMap<number, Cell>,
  { fromMs = -Infinity, damaged = false }: Allowance,
): number {
  let lastMs = Number.NEGATIVE_INFINITY;
  let found = 0;
  for (let row = 0; row < columns.rows; row++) {
    const timeMs = columns.timeMs[row] as number;
    if (timeMs <= lastMs) throw new Error(`${what}: a sample at ${timeMs} comes after one at ${lastMs}`);
    lastMs = timeMs;
    const cell = cells.get(timeMs);
    if (!wasWritten(cell, columns, row, damaged)) {
      const { series, value, status } = cell ?? {};
      const shown = `${columns.series[row]} ${show(valueAt(columns, row))} ${columns.status[row]}`;
      throw new Error(`${what} at ${timeMs} is ${shown}, written was ${series} ${show(value)} ${status}`);
    }
    if (timeMs >= fromMs) found++;
  }
  let expected = 0;
  const lost: number[] = [];
  const times = new Set(columns.timeMs);
  for (const timeMs of cells.keys()) {
    if (timeMs < fromMs) continue;
    expected++;
    if (!times.has(timeMs)) lost.push(timeMs);
  }
  if (lost.length > 0 && !damaged) throw new Error(`${what}: ${lost.length} samples are lost: ${lost.slice(0, 5)}`);
  if (expected - found !== lost.length) throw new Error(`${what}: ${found} of ${expected} samples, ${lost.length} missing`);
  return lost.length;
}

/** Throws where the store is wrong; returns how many samples were compared, and how many of them are missing. */
export async function compareStore(engine: Engine, model: Model, allowance: Allowance = {}): Promise<{ checked: number; missing: number }> {
  let checked = 0;
  let missing = 0;
  for (const { series, cells } of model.tags) {
    const name = `tag ${model.defs.get(series[0] as SeriesId)?.tag}`;
    const { columns } = await engine.raw({ series, range: ALWAYS, limit: PAGE });
    missing += missingOf(name, columns, cells, allowance);
    const count = await engine.count({ series, range: ALWAYS, atMost: PAGE });
    if (count !== columns.rows) throw new Error(`${name}: raw gives ${columns.rows} rows, count says ${count}`);
    checked += columns.rows;
    if (series.length === 1) continue;
    for (const id of series) {
      const own = await engine.raw({ series: [id], range: ALWAYS, limit: PAGE });
      missing += missingOf(`series ${id}`, own.columns, model.bySeries.get(id) ?? new Map(), allowance);
    }
  }
  missing += await missingLatest(engine, model, allowance);
  const series = [...model.defs.keys()];
  for (let turn = 0; turn < 2; turn++) {
    const random = hash(model.place.n, turn);
    missing += await missingBuckets(engine, model, { series: series[random % series.length] as SeriesId, random, allowance });
  }
  return { checked, missing };
}

async function missingLatest(engine: Engine, model: Model, { fromMs = -Infinity, damaged = false }: Allowance): Promise<number> {
  let missing = 0;
  for (const which of ['newest', 'usable'] as const) {
    const columns = await engine.latest([...model.defs.keys()], which);
    const rows = new Map(Array.from(columns.series, (series, row) => [series, row]));
    for (const [series, cells] of model.bySeries) {
      let newestMs = Number.NEGATIVE_INFINITY;
      for (const [timeMs, { status, value }] of cells) {
        if (timeMs > newestMs && (which === 'newest' || (status < BAD && value !== null))) newestMs = timeMs;
      }
      const row = rows.get(series);
      if (newestMs < fromMs || newestMs === Number.NEGATIVE_INFINITY) continue;
      if (row === undefined || columns.timeMs[row] !== newestMs) {
        const sound = row === undefined || wasWritten(cells.get(columns.timeMs[row] as number), columns, row, true);
        if (!damaged || !sound)
          throw new Error(`the ${which} of ${series} is of ${row === undefined ? 'never' : columns.timeMs[row]}, not ${newestMs}`);
        missing++;
      } else if (!wasWritten(cells.get(newestMs), columns, row, damaged)) {
        throw new Error(`the ${which} of ${series} is ${show(valueAt(columns, row))}, not ${show(cells.get(newestMs)?.value)}`);
      }
    }
  }
  return missing;
}

const STEPS: readonly Step[] = [
  { ms: 300_000 },
  { ms: 3_600_000 },
  { ms: DAY_MS },
  { calendar: '1d', tz: 'Europe/Berlin' },
  { calendar: '1d', tz: 'Australia/Lord_Howe' },
];

/** Compares the counts and sums of one series, in buckets of a step that `random` chooses, with those of the samples themselves. */
async function missingBuckets(
  engine: Engine,
  model: Model,
  { series, random, allowance }: { readonly series: SeriesId; readonly random: number; readonly allowance: Allowance },
): Promise<number> {
  const step = STEPS[random % STEPS.length] as Step;
  const { fromMs = -Infinity, damaged } = allowance;
  const days = 'tz' in step ? localDays(step.tz) : undefined;
  const bucketOf = (timeMs: number) => ('ms' in step ? Math.floor(timeMs / step.ms) * step.ms : (days?.start(timeMs) as number));
  const expected = new Map<number, { count: number; numbers: number; sum: number }>();
  for (const [timeMs, { value, status }] of model.bySeries.get(series) ?? []) {
    if (status >= BAD) continue;
    const bucket = expected.get(bucketOf(timeMs)) ?? { count: 0, numbers: 0, sum: 0 };
    bucket.count++;
    if (typeof value === 'number' || typeof value === 'bigint') {
      bucket.sum += Number(value);
      bucket.numbers++;
    }
    expected.set(bucketOf(timeMs), bucket);
  }
  const sums = await engine.aggregate({ series: [series], range: ALWAYS, step, aggregation: 'sum' });
  const got = new Map(
    Array.from(sums.timeMs, (timeMs, row) => [timeMs, { count: sums.count[row] as number, sum: sums.values[row] as number }]),
  );
  let missing = 0;
  for (const [timeMs, bucket] of expected) {
    const { count, sum } = got.get(timeMs) ?? { count: 0, sum: Number.NaN };
    if (bucketOf(timeMs) < fromMs) continue;
    const what = `series ${series}, ${JSON.stringify(step)} at ${timeMs}`;
    if (count > bucket.count && !damaged) throw new Error(`${what}: ${count} samples of ${bucket.count}`);
    if (count < bucket.count && !damaged) throw new Error(`${what}: ${count} samples of ${bucket.count}`);
    if (count !== bucket.count) missing++;
    else if (bucket.numbers > 0 && !damaged && !(Math.abs(sum - bucket.sum) <= 1e-9 * Math.max(1, Math.abs(bucket.sum)))) {
      throw new Error(`${what}: the sum is ${sum}, not ${bucket.sum}`);
    }
  }
  for (const timeMs of got.keys()) if (!expected.has(timeMs)) throw new Error(`series ${series}: no bucket at ${timeMs} was expected`);
  return missing;
}

/** Applies changes as a copy of the store elsewhere would. */
export class Follower {
  cursor: string | null = null;
  readonly #cells = new Map<number, Map<number, Cell>>();

  /** Reads on to the end; each row must be something that was written there. */
  async follow(engine: Engine, model: Model, limit: number): Promise<void> {
    for (;;) {
      const { columns, next } = await engine.changes(this.cursor, limit);
      this.cursor = next;
      if (columns.rows === 0) return;
      for (let row = 0; row < columns.rows; row++) {
        const series = columns.series[row] as SeriesId;
        const timeMs = columns.timeMs[row] as number;
        if (!wasWritten(model.bySeries.get(series)?.get(timeMs), columns, row, true)) {
          throw new Error(`a change of ${series} at ${timeMs} to ${show(valueAt(columns, row))} was never written`);
        }
        const cells = this.#cells.get(series) ?? new Map<number, Cell>();
        cells.set(timeMs, { series, value: valueAt(columns, row), status: columns.status[row] as number, before: undefined });
        this.#cells.set(series, cells);
      }
    }
  }

  /** How many samples are missing or not the last ones; throws when there are any, unless damage excuses them. */
  missing(model: Model, { fromMs = -Infinity, damaged = false }: Allowance): number {
    let missing = 0;
    for (const [series, cells] of model.bySeries) {
      for (const [timeMs, cell] of cells) {
        if (timeMs < fromMs) continue;
        const mine = this.#cells.get(series)?.get(timeMs);
        if (mine && Object.is(mine.value, cell.value) && mine.status === cell.status) continue;
        if (!damaged) throw new Error(`whoever follows has ${show(mine?.value)} for ${series} at ${timeMs}, not ${show(cell.value)}`);
        missing++;
      }
    }
    return missing;
  }
}
