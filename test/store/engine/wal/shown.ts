/** Records as data, for the tests of the log: pushed into a ring, collected from a visitor, and a stream of them that can be checked. */
import type { Ring } from '../../../../src/core/ring.ts';
import type { StatusCode } from '../../../../src/core/status.ts';
import type { SeriesDef, SeriesId } from '../../../../src/core/tag.ts';
import type { UnixMs } from '../../../../src/core/time.ts';
import type { ReplayVisitor } from '../../../../src/store/engine/wal/replay.ts';

export interface Sample {
  readonly kind: 'number' | 'i64' | 'u64' | 'text';
  readonly series: number;
  readonly timeMs: number;
  readonly value: number | bigint | string;
  readonly status: number;
  readonly historical: boolean;
}
export type Shown = Sample | { readonly kind: 'define'; readonly series: number; readonly def: SeriesDef };

export function collector(into: Shown[]): ReplayVisitor {
  return {
    define: (series, def) => into.push({ kind: 'define', series, def }),
    number: (series, timeMs, value, status, historical) => into.push({ kind: 'number', series, timeMs, value, status, historical }),
    integer: (series, timeMs, value, signed, status, historical) =>
      into.push({ kind: signed ? 'i64' : 'u64', series, timeMs, value, status, historical }),
    text: (series, timeMs, value, status, historical) => into.push({ kind: 'text', series, timeMs, value, status, historical }),
  };
}

export function pushInto(ring: Ring, record: Shown): boolean {
  const series = record.series as SeriesId;
  if (record.kind === 'define') return ring.pushDefinition(series, record.def);
  const timeMs = record.timeMs as UnixMs;
  const status = record.status as StatusCode;
  const { kind, value, historical } = record;
  if (kind === 'number') return ring.pushNumber(series, timeMs, value as number, status, historical);
  if (kind === 'text') return ring.pushText(series, timeMs, value as string, status, historical);
  return ring.pushInteger(series, timeMs, value as bigint, kind === 'i64', status, historical);
}

/** The n-th record of a stream in which each names its number, so that what is lost, invented or out of order shows. */
export function numbered(n: number): Shown {
  const common = { series: 1 + (n % 40), timeMs: 1_700_000_000_000 + n, status: n % 17 === 0 ? 0x8031_0000 : 0, historical: n % 29 === 0 };
  if (n % 23 === 0) return { ...common, kind: 'text', value: `${n} `.repeat(n % 90) };
  if (n % 19 === 0) return { ...common, kind: 'u64', value: BigInt(n) * 0x1234_5678_9abcn };
  if (n % 31 === 0) {
    const def: SeriesDef = { tenant: 'default', source: 's', asset: 'a', tag: `t${n}`, valueType: 'f64', generation: n };
    return { kind: 'define', series: common.series, def };
  }
  return { ...common, kind: 'number', value: n % 7 === 0 ? Math.sqrt(n) : n / 10 };
}

/** The number of a `numbered` record. */
export function numberOf(record: Shown): number {
  return record.kind === 'define' ? record.def.generation : record.timeMs - 1_700_000_000_000;
}
