/** The order of arrival of series of one tag at the same time, as it is kept when they are sealed: only where ids do not tell it. */
import type { SeriesId } from '../../core/tag.ts';
import type { Run } from './run.ts';

export interface SiblingRun {
  readonly series: SeriesId;
  readonly run: Run;
}

/**
 * For each sample of `own` its place in the order of arrival, from 1, where a sibling has the same time and the order is not that of
 * ids; else 0. Undefined when all are 0. All siblings at one time get a place or none does.
 */
export function tiePositions(own: SiblingRun, siblings: readonly SiblingRun[]): Float64Array | undefined {
  const others = siblings.filter(({ run }) => run.count > 0);
  if (others.length === 0) return undefined;
  const at = new Uint32Array(others.length);
  let positions: Float64Array | undefined;
  for (let index = 0; index < own.run.count; index++) {
    const timeMs = own.run.timeMs[index] as number;
    const group = [{ series: own.series, order: own.run.order?.[index] ?? 0 }];
    for (const [which, { series, run }] of others.entries()) {
      let place = at[which] as number;
      while (place < run.count && (run.timeMs[place] as number) < timeMs) place++;
      at[which] = place;
      if (place < run.count && run.timeMs[place] === timeMs) group.push({ series, order: run.order?.[place] ?? 0 });
    }
    if (group.length === 1) continue;
    group.sort((a, b) => a.order - b.order || a.series - b.series);
    if (group.every(({ series }, place) => place === 0 || series > (group[place - 1]?.series ?? 0))) continue;
    positions ??= new Float64Array(own.run.count);
    positions[index] = 1 + group.findIndex(({ series }) => series === own.series);
  }
  return positions;
}
