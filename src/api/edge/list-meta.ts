/** `meta` of a TwinEdge list. */
import type { PageRequest } from '../page.ts';

export function listMeta(request: PageRequest, total: number) {
  return { page: request.page, per_page: request.per_page, total };
}
