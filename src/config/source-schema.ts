/** What `sources[]` may say: the keys of every source, and `config` and `tags` of the driver that its type names. */
import { z } from 'zod';
import { DEFAULT_TENANT } from '../core/tag.ts';
import { DRIVER_TYPES, type DriverType } from '../drivers/registry.ts';
import { idSchema } from '../drivers/schema.ts';
import { optionFields } from '../drivers/source-options.ts';

const MAX_TAGS = 50_000; // what one source can hold; the store's ids end at 16 million for the whole box

const sourceFields = {
  id: idSchema
    .optional()
    .describe('identity of the source and of its history; made from tenant and name when absent, so that a rename starts new series'),
  name: z.string().min(1).max(128).describe('what people call the source'),
  enabled: z.boolean().default(true).describe('false keeps the source in the file without connecting'),
  tenant: idSchema.default(DEFAULT_TENANT).describe('the tenant that the readings belong to'),
};

function variant(type: DriverType) {
  return z.strictObject({ type: z.literal(type).describe('the protocol'), ...sourceFields, ...optionFields(type, MAX_TAGS) });
}

const [firstType, ...otherTypes] = DRIVER_TYPES;

export const sourceSchema = z.discriminatedUnion('type', [variant(firstType), ...otherTypes.map(variant)]);
