/** Pages of lists that are in memory as a whole. */

export interface PageRequest {
  readonly page: number;
  readonly per_page: number;
}

/** Rows before the page. */
export function skipOf({ page, per_page }: PageRequest): number {
  return (page - 1) * per_page;
}

/** The page's own rows; past the end there are none. */
export function pageOf<Row>(rows: readonly Row[], request: PageRequest): readonly Row[] {
  const skip = skipOf(request);
  return rows.slice(skip, skip + request.per_page);
}

/** Compares text by code units, so that every machine sorts alike. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
