/** The rollups that `store.db` keeps: of a day by series, and of a sealed window by bundles of series, until its day is compacted. */
import type { SeriesId } from '../../core/tag.ts';
import type { Aggregation } from '../telemetry.ts';
import type { CatalogueReads, PartNumber } from './catalogue-reads.ts';
import { CorruptBlockError } from './codec/corrupt-block-error.ts';
import { DecodedRollups } from './decoded-rollups.ts';
import { ROLLUP_MS, WINDOW_MS } from './grid.ts';
import { columnOf, decodeRollup, type RollupColumns } from './rollup.ts';
import { lowerBound } from './run.ts';

/** Series whose rollups of a window lie together, by id: those of one machine are mostly asked together, and few others with them. */
const BUNDLE_SERIES = 64;
export const CELLS_PER_WINDOW = WINDOW_MS / ROLLUP_MS;

export function bundleOf(series: SeriesId): number {
  return Math.floor(series / BUNDLE_SERIES);
}

/** Key of a series' first cell in its bundle. */
export function bundleKey(series: SeriesId): number {
  return (series % BUNDLE_SERIES) * CELLS_PER_WINDOW;
}

/** Rows [from, to) of columns; `originMs` is when the cell of key `firstKey` begins. */
export interface Cells {
  readonly columns: RollupColumns;
  readonly from: number;
  readonly to: number;
  readonly firstKey: number;
  readonly originMs: number;
}

export class Rollups {
  readonly #decoded = new DecodedRollups();
  readonly #catalogue: CatalogueReads;
  readonly #report: (what: string, error: unknown) => void;

  constructor(catalogue: CatalogueReads, report: (what: string, error: unknown) => void) {
    this.#catalogue = catalogue;
    this.#report = report;
  }

  /** To be called before a query: the tables may have changed since the last one. */
  follow(): void {
    this.#decoded.follow(this.#catalogue.rollupVersion());
  }

  /** Undefined where there is none, or it is damaged (which is reported): then the samples themselves must be asked. */
  day(day: number, series: SeriesId, aggregation: Aggregation): RollupColumns | undefined {
    return this.#decoded.get(`${day}/${series}/${columnOf(aggregation)}`, () =>
      this.#decode(this.#catalogue.dayRollup(day, series), aggregation, () => `the rollup of series ${series} on day ${day}`),
    );
  }

  /** The same of a bundle of series in a window; `ofBundle` finds a series in it. */
  bundle({ window, part }: PartNumber, bundle: number, aggregation: Aggregation): RollupColumns | undefined {
    return this.#decoded.get(`${window}:${part}/${bundle}/${columnOf(aggregation)}`, () =>
      this.#decode(this.#catalogue.windowRollup({ window, part }, bundle), aggregation, () => `rollup ${bundle} of window ${window}`),
    );
  }

  #decode(blob: Uint8Array | undefined, aggregation: Aggregation, what: () => string): RollupColumns | undefined {
    if (!blob) return undefined;
    try {
      return decodeRollup(blob, aggregation);
    } catch (error) {
      if (!(error instanceof CorruptBlockError)) throw error;
      this.#report(what(), error);
      return undefined;
    }
  }
}

/** The cells of one series in a bundle. */
export function ofBundle(columns: RollupColumns, window: number, series: SeriesId): Cells {
  const firstKey = bundleKey(series);
  const from = lowerBound(columns.key, columns.rows, firstKey);
  const to = lowerBound(columns.key, columns.rows, firstKey + CELLS_PER_WINDOW);
  return { columns, from, to, firstKey, originMs: window * WINDOW_MS };
}
