/** The parts of a tag and a source that every protocol has, as zod schemas; names are the API's. */
import { z } from 'zod';
import { ID_PATTERN, TAG_NAME_PATTERN } from '../core/tag.ts';

export const idSchema = z
  .string()
  .regex(ID_PATTERN, 'must be 1–128 letters, digits, ".", "_", ":" or "-", starting with a letter or digit');

export const tagNameSchema = z.string().regex(TAG_NAME_PATTERN, 'must be 1–128 printable characters');

export const unitSchema = z.string().max(64);

export const deadbandSchema = z.strictObject({
  type: z.enum(['absolute', 'percent']).describe('percent is of the last stored value'),
  value: z.number().nonnegative().describe('width of the band on either side'),
});

const SCALE_LIMIT = 1e15;

/** Fields that a tag has whatever its protocol. */
export const tagFields = {
  tag_name: tagNameSchema.describe('name of the tag; the sensor id of the twin'),
  asset_id: idSchema.optional().describe('the asset (twin) the tag belongs to; the source id when absent'),
  unit: unitSchema.optional().describe('unit of measurement, after scaling'),
  polling_interval_ms: z.int().min(100).max(3_600_000).optional().describe("overrides the source's interval"),
  deadband: deadbandSchema.optional().describe('changes smaller than this are not stored'),
  writable: z.boolean().default(false).describe('true allows actuators to write this tag'),
  write_min: z.number().optional().describe('smallest value that may be written, after scaling'),
  write_max: z.number().optional().describe('largest value that may be written, after scaling'),
  scale: z.number().min(-SCALE_LIMIT).max(SCALE_LIMIT).optional().describe('value = raw × scale + offset'),
  offset: z.number().min(-SCALE_LIMIT).max(SCALE_LIMIT).optional().describe('added after scaling'),
};

/** Where a connection goes, and the key of the config that says so. */
export interface Target {
  readonly key: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** All that decides who hears a secret that is sent there: protocol, host, port, path, and whether it goes in the clear or unchecked. */
  readonly place: string;
}

/** A file that a config names, and the key (a dot path) that does. */
export interface NamedFile {
  readonly key: string;
  readonly file: string;
}

/** A device of this machine that a config names. */
export interface NamedDevice extends NamedFile {
  /** All who use it must name the same. */
  readonly settings: string;
}

/** Without the brackets that an IPv6 address has in a URL. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

export type Words = Readonly<Record<string, string | number>>;

/** Where a tag's value stands at its device and how it is made of what the device sends: what the configuration says, and nothing that it does not. */
export interface TagOrigin {
  /** In the protocol's own words: unit and register, node, topic. */
  readonly address: Words;
  /** What is done to the raw value. */
  readonly decode: Words;
}

/** The fields that have a value. */
export function present(fields: Readonly<Record<string, string | number | undefined>>): Words {
  return Object.fromEntries(Object.entries(fields).filter((field): field is [string, string | number] => field[1] !== undefined));
}
