/** What `sources[]` may say: the keys of every source, and `config` and `tags` of the driver that its type names. */
import { z } from 'zod';
import { DEFAULT_TENANT } from '../core/tag.ts';
import { DRIVER_TYPES, DRIVERS, type DriverType } from '../drivers/registry.ts';
import { idSchema } from '../drivers/schema.ts';

const MAX_TAGS = 50_000; // what one source can hold; the store's ids end at 16 million for the whole box

/** A profile is looked up as a file name, so it must not be able to leave the folder. */
const PROFILE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

const sourceFields = {
  id: idSchema
    .optional()
    .describe('identity of the source and of its history; made from tenant and name when absent, so that a rename starts new series'),
  name: z.string().min(1).max(128).describe('what people call the source'),
  enabled: z.boolean().default(true).describe('false keeps the source in the file without connecting'),
  tenant: idSchema.default(DEFAULT_TENANT).describe('the tenant that the readings belong to'),
};

const profileField = z
  .string()
  .regex(PROFILE_PATTERN, 'must be the name of a profile: letters, digits, "_" and "-"')
  .optional()
  .describe('a battery profile instead of tags: profiles/NAME.yaml beside this file, or one that comes with twinbox');

function variant(type: DriverType) {
  const { configSchema, tagSchema } = DRIVERS[type];
  const fields = {
    type: z.literal(type).describe('the protocol'),
    ...sourceFields,
    // A source of which every setting has a default needs no `config`.
    config: configSchema.safeParse({}).success ? configSchema.prefault({}) : configSchema,
    tags: z.array(tagSchema).max(MAX_TAGS).default([]).describe('what to read'),
  };
  return type === 'mqtt' ? z.strictObject({ ...fields, profile: profileField }) : z.strictObject(fields);
}

const [firstType, ...otherTypes] = DRIVER_TYPES;

export const sourceSchema = z.discriminatedUnion('type', [variant(firstType), ...otherTypes.map(variant)]);
