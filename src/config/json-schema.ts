/** The configuration file's schema as JSON Schema, for editors and for the reference. */
import { z } from 'zod';
import { configSchema } from './schema.ts';

export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Draft 7, which the YAML language server understands best. Describes what is written, before defaults are filled in. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { target: 'draft-7', io: 'input' });
}
