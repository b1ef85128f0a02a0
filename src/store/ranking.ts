/** Which series are one tag, in what order tags come, and the cursor that remembers a place in that order. */
import { GatewayError } from '../core/errors.ts';
import type { SeriesDef, SeriesId } from '../core/tag.ts';

/** Series of one (tenant, asset, tag) share a rank; ranks follow (asset, tag, tenant) by code units. */
export class Ranking {
  /** By series id. */
  readonly rankOf = new Map<SeriesId, number>();
  /** By rank: the lowest series id, what ranks it, and all its series, ascending. */
  readonly tags: { readonly series: SeriesId; readonly key: string; readonly members: readonly SeriesId[] }[] = [];

  constructor(series: readonly SeriesId[], definition: (id: SeriesId) => SeriesDef | undefined) {
    const groups = new Map<string, SeriesId[]>();
    for (const id of [...new Set(series)].sort((a, b) => a - b)) {
      const def = definition(id);
      if (!def) continue;
      const key = `${def.asset}\0${def.tag}\0${def.tenant}`;
      const members = groups.get(key);
      if (members) members.push(id);
      else groups.set(key, [id]);
    }
    for (const [key, members] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const member of members) this.rankOf.set(member, this.tags.length);
      this.tags.push({ series: members[0] as SeriesId, key, members });
    }
  }

  /** True when each tag has just one series, so that nothing merges. */
  get simple(): boolean {
    return this.tags.length === this.rankOf.size;
  }

  /** The place behind the row (time, rank). */
  cursor(timeMs: number, rank: number): string {
    return Buffer.from(JSON.stringify([timeMs, this.tags[rank]?.key])).toString('base64url');
  }

  /** Where a cursor goes on: rows at `timeMs` with a rank below `rank` are behind it. Throws `invalid_cursor`. */
  resume(cursor: string): { readonly timeMs: number; readonly rank: number } {
    const [timeMs, behind] = parseCursor(cursor);
    const rank = this.tags.findIndex(({ key }) => key > behind);
    return { timeMs, rank: rank < 0 ? this.tags.length : rank };
  }
}

function parseCursor(cursor: string): readonly [number, string] {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(place) && place.length === 2 && Number.isSafeInteger(place[0]) && typeof place[1] === 'string') {
      return [place[0] as number, place[1]];
    }
  } catch (error) {
    throw new GatewayError('invalid_cursor', 'the cursor is not one of ours', { cause: error });
  }
  throw new GatewayError('invalid_cursor', 'the cursor is not one of ours');
}
