/** Which of the forms that a route has a client wants. (RFC 9110 §12.5.1) */
import { ApiError } from './problem.ts';

interface Range {
  readonly type: string;
  readonly quality: number;
  /** 2 for `text/csv`, 1 for `text/*`, 0 for anything. */
  readonly precision: number;
}

const RANGE = /^\s*(\*\/\*|[\w!#$&^.+-]+\/(?:\*|[\w!#$&^.+-]+))\s*((?:;[^;]*)*)$/;
const QUALITY = /;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)/i;
const ANY_QUALITY = /;\s*q\s*=/i;

/**
 * The best of `offers` for an Accept header; the first where there is none. Of two that are as welcome, the one that is named beats one
 * that a wildcard lets in, and then the one named earlier. Parameters beside `q` are not compared. Throws `not_acceptable`.
 */
export function preferred<Offer extends string>(accept: string | undefined, offers: readonly [Offer, ...Offer[]]): Offer {
  if (accept === undefined || accept.trim() === '') return offers[0];
  const ranges = accept.split(',').flatMap(rangeOf);
  let best: { readonly offer: Offer; readonly range: Range } | undefined;
  for (const offer of offers) {
    const range = rangeFor(offer, ranges);
    if (!range || range.quality === 0) continue;
    if (!best || isBetter(range, best.range, ranges)) best = { offer, range };
  }
  if (best) return best.offer;
  throw new ApiError('not_acceptable', `There is no such form of this; there are ${offers.join(', ')}.`);
}

/** None for what is no media range. */
function rangeOf(text: string): Range[] {
  const match = RANGE.exec(text);
  if (!match) return [];
  const [, type = '', parameters = ''] = match;
  const quality = QUALITY.exec(parameters)?.[1];
  if (quality === undefined && ANY_QUALITY.test(parameters)) return [];
  const precision = type === '*/*' ? 0 : type.endsWith('/*') ? 1 : 2;
  return [{ type: type.toLowerCase(), quality: quality === undefined ? 1 : Number(quality), precision }];
}

/** The most precise one says how welcome the offer is. */
function rangeFor(offer: string, ranges: readonly Range[]): Range | undefined {
  const family = `${offer.slice(0, offer.indexOf('/'))}/*`;
  let found: Range | undefined;
  for (const range of ranges) {
    if (range.type !== offer && range.type !== family && range.type !== '*/*') continue;
    if (!found || range.precision > found.precision) found = range;
  }
  return found;
}

function isBetter(range: Range, than: Range, ranges: readonly Range[]): boolean {
  if (range.quality !== than.quality) return range.quality > than.quality;
  if (range.precision !== than.precision) return range.precision > than.precision;
  return ranges.indexOf(range) < ranges.indexOf(than);
}
