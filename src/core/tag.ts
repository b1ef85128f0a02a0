/** What a reading is called: tenant, source, asset and tag, and the types a value can have. */

declare const seriesId: unique symbol;
declare const sequence: unique symbol;

/** The box's short name for a series, 24 bits, given at run time. Never leaves the process: documents hold the key. */
export type SeriesId = number & { readonly [seriesId]: true };
export const MAX_SERIES_ID = 0xff_ffff;

/** Position of a record in the one stream of records; goes on across restarts. */
export type Sequence = number & { readonly [sequence]: true };

/** The tenant that every box has. */
export const DEFAULT_TENANT = 'default';
/** The source of readings that enter over REST. */
export const API_SOURCE = 'api';

/** Ids that clients and files give. Case-sensitive. */
export const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
/** Tag names are 1–128 printable characters. */
export const TAG_NAME_PATTERN = /^[^\p{Cc}\p{Cs}\u2028\u2029]{1,128}$/u;
/** The longest text a reading may carry, in UTF-16 code units. */
export const MAX_TEXT_LENGTH = 1024;

export interface SeriesKey {
  readonly tenant: string;
  readonly source: string;
  readonly asset: string;
  readonly tag: string;
}

/** `f32` is a 32-bit float widened to 64: it prints with the digits that a 32-bit float has. */
export type ValueType = 'f64' | 'f32' | 'i64' | 'u64' | 'bool' | 'string';

/** A key, its value type and what helps to compress and print it. A change of value type is a new generation. */
export interface SeriesDef extends SeriesKey {
  readonly valueType: ValueType;
  readonly generation: number;
  readonly unit?: string;
  /** As in value = raw × scale + offset; a hint for the store's codec. */
  readonly scale?: number;
  readonly offset?: number;
}

/** A value as the API shows it; 64-bit integers beyond 2^53 are bigint. */
export type Scalar = number | boolean | string | bigint;
