/** What the stores of the fault tests are fed with: record n is the same in every process, with overwritten, late, bad and textual samples. */
import { type Ring, textSlots } from '../../src/core/ring.ts';
import type { StatusCode } from '../../src/core/status.ts';
import type { Scalar, SeriesDef, SeriesId, ValueType } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { Arrival } from '../store/contract/feed.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Midday of the day before the clocks change in Berlin. */
export const PLANT_START_MS = Date.UTC(2026, 2, 28, 12);
/** A round of samples every half an hour of the plant's time: 48 rounds and 960 records a day, for days are what it takes many of. */
export const ROUND_MS = 30 * MINUTE_MS;
const PER_ROUND = 20;
export const PLANT_RING_SLOTS = 4096;

/** What exists from the start on; the first two are one tag, read from two sources. */
const BASE: readonly (readonly [string, ValueType, Partial<SeriesDef>?])[] = [
  ['flow', 'f64', { source: 's1' }],
  ['flow', 'f64', { source: 's2' }],
  ['level', 'f64', { scale: 0.01 }],
  ['speed', 'f32'],
  ['on', 'bool'],
  ['total', 'i64'],
  ['energy', 'u64'],
  ['state', 'string'],
  ['flaky', 'f64'],
  ['noise', 'f64'],
];
const STATUSES = [0, 0, 0, 0x4000_0000, 0x8000_0000, 0x8031_0000, 0, 0x40a4_0000];
/** A series is added so often, so many times at most. */
const NEW_EVERY_ROUNDS = 30;
const MAX_NEW = 200;
const FIRST_NEW = BASE.length + 1;

export type PlantRecord = { readonly series: SeriesId; readonly def: SeriesDef } | Arrival;

function defOf(series: number): SeriesDef {
  const [tag, valueType, rest] = BASE[series - 1] ?? [`extra${series}`, series % 3 === 0 ? 'string' : 'f64'];
  return { tenant: 'default', source: 'plc', asset: 'press', tag, valueType, generation: 1, ...rest };
}

/** A well mixed 32-bit number for each pair. */
export function hash(a: number, b = 0): number {
  let mixed = Math.imul(a ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(b + 0x7f4a_7c15, 0xc2b2_ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d);
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a_2d39);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

export function roundOf(n: number): number {
  return Math.max(0, Math.floor((n - BASE.length) / PER_ROUND));
}

/** The plant's wall clock when record n is made. */
export function nowAt(n: number): number {
  return PLANT_START_MS + roundOf(n) * ROUND_MS;
}

export function plantRecord(n: number): PlantRecord {
  if (n < BASE.length) return { series: (n + 1) as SeriesId, def: defOf(n + 1) };
  const round = roundOf(n);
  const at = (n - BASE.length) % PER_ROUND;
  const made = Math.min(Math.floor(round / NEW_EVERY_ROUNDS), MAX_NEW);
  if (at === 0 && made < MAX_NEW && round % NEW_EVERY_ROUNDS === 0)
    return { series: (FIRST_NEW + made) as SeriesId, def: defOf(FIRST_NEW + made) };
  const nowMs = nowAt(n);
  if (at < 10) return sample(at + 1, at < 2 ? nowMs : nowMs + at, n);
  const random = hash(n);
  if (at === 10) return sample(1 + (random % BASE.length), nowMs - (1 + (random % 3)) * ROUND_MS, n); // some of these overwrite
  const isLate = round % 20 < 3;
  if (at < 17 && isLate) return sample(1 + (random % BASE.length), nowMs - (1 + (random % 9)) * HOUR_MS, n);
  if (at === 17 && round % 40 === 39) return sample(3, nowMs - 50 * HOUR_MS, n);
  return sample(FIRST_NEW + (random % (made + 1)), nowMs + at, n);
}

function sample(series: number, timeMs: number, n: number): Arrival {
  const random = hash(n, 1);
  const { valueType } = defOf(series);
  const isFlaky = series === 9;
  const value = isFlaky && random % 5 === 0 ? null : valueFor(valueType, series, n, random);
  return { series: series as SeriesId, timeMs, value, status: isFlaky ? (STATUSES[random % STATUSES.length] as number) : 0 };
}

function valueFor(valueType: ValueType, series: number, n: number, random: number): Scalar {
  if (valueType === 'bool') return random % 2 === 0;
  if (valueType === 'i64') return BigInt(n) * 1_000_003n - 2n ** 61n;
  if (valueType === 'u64') return 2n ** 63n + BigInt(n) * 977n;
  if (valueType === 'f32') return Math.fround(random / 1e6);
  if (valueType === 'string') return random % 40 === 0 ? `long ${n} ${'ü'.repeat(100 + (random % 150))}` : `state ${random % 9}`;
  if (series === 10) return Math.sin(n) * 1e3;
  return n / 100;
}

export function isDefinition(record: PlantRecord): record is { readonly series: SeriesId; readonly def: SeriesDef } {
  return 'def' in record;
}

export function pushRecord(ring: Ring, record: PlantRecord): boolean {
  if (isDefinition(record)) return ring.pushDefinition(record.series, record.def);
  const { series, value } = record;
  const [timeMs, status] = [record.timeMs as UnixMs, record.status as StatusCode];
  if (typeof value === 'string') return ring.pushText(series, timeMs, value, status);
  if (typeof value === 'bigint') return ring.pushInteger(series, timeMs, value, defOf(series).valueType !== 'u64', status);
  return ring.pushNumber(series, timeMs, value === null ? Number.NaN : Number(value), status);
}

/** A record's number and the sequence at which it, or the padding before it, begins in the ring. */
export interface Place {
  readonly n: number;
  readonly sequence: number;
}

/** The place of the first record that does not lie wholly below `sequence`, found from an earlier place on. */
export function placeAt(from: Place, sequence: number): Place {
  let { n, sequence: at } = from;
  for (;;) {
    const record = plantRecord(n);
    const text = isDefinition(record) ? JSON.stringify(record.def) : typeof record.value === 'string' ? record.value : undefined;
    const slots = text === undefined ? 1 : textSlots(Buffer.byteLength(text));
    const toEnd = PLANT_RING_SLOTS - (at % PLANT_RING_SLOTS);
    const end = at + (slots > toEnd ? toEnd : 0) + slots;
    if (end > sequence) return { n, sequence: at };
    n++;
    at = end;
  }
}
