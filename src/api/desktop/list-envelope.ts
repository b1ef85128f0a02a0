/** `meta.pagination` and `links` of a list. */
import type { PageRequest } from '../page.ts';

/** Where the list is and which of the request's parameters its links keep. */
export interface ListPlace {
  readonly path: string;
  /** As it came: `?type=equipment&page=2`, or empty. */
  readonly search: string;
}

export function pagination(totalItems: number, request: PageRequest) {
  return {
    total_items: totalItems,
    total_pages: totalPages(totalItems, request),
    current_page: request.page,
    per_page: request.per_page,
  };
}

/** Relative, so that they hold behind any proxy; `prev` and `next` are absent at the edges. */
export function links(place: ListPlace, totalItems: number, request: PageRequest): Record<string, string> {
  const lastPage = Math.max(1, totalPages(totalItems, request));
  const kept = [...new URLSearchParams(place.search)].filter(([name]) => name !== 'page' && name !== 'per_page');
  const link = (page: number) => {
    const query = new URLSearchParams([['page', String(page)], ['per_page', String(request.per_page)], ...kept]);
    return `${place.path}?${query}`;
  };
  return {
    self: link(request.page),
    first: link(1),
    ...(request.page > 1 ? { prev: link(Math.min(request.page - 1, lastPage)) } : undefined),
    ...(request.page < lastPage ? { next: link(request.page + 1) } : undefined),
    last: link(lastPage),
  };
}

function totalPages(totalItems: number, request: PageRequest): number {
  return Math.ceil(totalItems / request.per_page);
}
