/** What is not sealed yet, copied out of the engine so that another thread can read it beside what is. */
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import type { TimeRange } from '../telemetry.ts';
import { windowOf } from './grid.ts';
import type { OpenWindow, OpenWindows } from './open-windows.ts';
import type { Layout } from './reader.ts';
import type { Run } from './run.ts';

interface SentWindow {
  readonly window: number;
  readonly runs: ReadonlyMap<SeriesId, Run>;
}

/** Plain data that can be posted to a thread. */
export interface UnsealedSamples {
  /** Of the series asked for, as far as they are known. */
  readonly definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly frozen: readonly SentWindow[];
  readonly open: readonly SentWindow[];
}

interface UnsealedHouse {
  readonly definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly frozen: Iterable<OpenWindow>;
  readonly open: OpenWindows;
}

/** Copies the windows that touch the range. */
export function copyUnsealed(house: UnsealedHouse, series: readonly SeriesId[], range: TimeRange): UnsealedSamples {
  const [first, last] = [windowOf(range.from), windowOf(range.to - 1)];
  const copies = (windows: Iterable<OpenWindow>): SentWindow[] =>
    [...windows]
      .filter(({ window }) => window >= first && window <= last)
      .map((open) => {
        const runs = series.flatMap((id) => {
          const run = open.run(id);
          return run ? [[id, copyRun(run)] as const] : [];
        });
        return { window: open.window, runs: new Map(runs) };
      });
  const definitions = series.flatMap((id) => {
    const def = house.definitions.get(id);
    return def ? [[id, def] as const] : [];
  });
  return { definitions: new Map(definitions), frozen: copies(house.frozen), open: copies(house.open.all()) };
}

/** What may be handed over instead of being copied once more. */
export function buffersOf({ frozen, open }: UnsealedSamples): ArrayBuffer[] {
  const columns = [...frozen, ...open].flatMap(({ runs }) =>
    [...runs.values()].flatMap(({ timeMs, numbers, status, order }) => [timeMs, numbers, status, order]),
  );
  return columns.flatMap((column) => (column ? [column.buffer as ArrayBuffer] : []));
}

/** The other thread's view of it. */
export function unsealedLayout({ frozen, open }: UnsealedSamples): Pick<Layout, 'frozen' | 'open'> {
  const byWindow = (windows: readonly SentWindow[]) =>
    new Map(windows.map(({ window, runs }) => [window, { run: (series: SeriesId) => runs.get(series) }]));
  const opened = byWindow(open);
  return { frozen: byWindow(frozen), open: { get: (window) => opened.get(window), numbers: () => [...opened.keys()] } };
}

function copyRun({ count, timeMs, numbers, status, wide, order }: Run): Run {
  return {
    count,
    timeMs: timeMs.slice(0, count),
    numbers: numbers.slice(0, count),
    ...(status ? { status: status.slice(0, count) } : {}),
    ...(wide ? { wide: wide.slice(0, count) } : {}),
    ...(order ? { order: order.slice(0, count) } : {}),
  };
}
