/** Schemas of what the Twin API takes. What a GET shows and nobody may set is let through, so that an edited answer can be sent back. */
import { z } from 'zod';
import { idSchema, tagNameSchema, unitSchema } from '../../drivers/schema.ts';
import { invalid } from '../problem.ts';
import { readingSchema } from '../reading.ts';

const MAX_METADATA_BYTES = 16 * 1024; // as in the configuration file

const nameSchema = z.string().min(1, 'must not be empty').max(256, 'must be at most 256 characters');
const descriptionSchema = z.string().max(2_048, 'must be at most 2048 characters').nullable().optional();
const metadataSchema = z
  .record(z.string(), z.unknown())
  .nullable()
  .optional()
  .describe('whatever is to be kept with the twin; at most 16 KiB');
const limitSchema = z.number().nullable().optional();
const typeSchema = z.string().max(128).nullable().optional().describe('equipment when absent');
const currentSchema = readingSchema.nullable().optional();
const ignored = z.unknown().optional().describe('ignored');
const asRead = z
  .unknown()
  .optional()
  .describe('when a value is sent too: the value is what a GET showed, not one to set unless it differs');
const unchanged = z.unknown().optional().describe('not changed here: must be as it is shown, or be left out');
const sameId = z.string().optional().describe('must be that of the path');

export const newTwinSchema = z.strictObject({
  id: idSchema,
  name: nameSchema,
  description: descriptionSchema,
  type: typeSchema,
  metadata: metadataSchema,
});

export const twinPatchSchema = z.strictObject({
  name: nameSchema.optional(),
  description: descriptionSchema,
  type: typeSchema,
  status: z.enum(['active', 'inactive', 'archived'], 'must be active, inactive or archived').optional(),
  metadata: metadataSchema,
  id: sameId,
  sensor_count: ignored,
  actuator_count: ignored,
  sensors: unchanged.describe('changed at their own paths: must be as they are but for their values, or be left out'),
  actuators: unchanged.describe('changed at their own paths: must be as they are but for their values, or be left out'),
  managed_by: ignored,
  created_at: ignored,
  updated_at: ignored,
});

const bindingFields = {
  data_source_id: idSchema.nullable().optional(),
  asset_id: idSchema.nullable().optional().describe('the twin when absent'),
  tag_name: tagNameSchema,
};

/** What a sensor is beside its value, whole. */
const sensorFields = {
  name: nameSchema,
  description: descriptionSchema,
  unit: unitSchema.describe('may be empty'),
  min_value: limitSchema,
  max_value: limitSchema,
  binding: z.strictObject(bindingFields).nullable().optional().describe('the tag of the same name when absent'),
};

export const sensorDefinitionSchema = z.object(sensorFields);
export type SensorDefinition = z.output<typeof sensorDefinitionSchema>;

export const newSensorSchema = z.strictObject({ id: idSchema, ...sensorFields, current_value: currentSchema });

export const sensorPatchSchema = z.strictObject({
  ...sensorFields,
  name: nameSchema.optional(),
  unit: unitSchema.optional(),
  binding: z
    .strictObject({ ...bindingFields, tag_name: tagNameSchema.optional() })
    .nullable()
    .optional(),
  current_value: currentSchema,
  id: sameId,
  quality: ignored,
  last_updated: asRead,
});

const stateSchema = z.union([z.number(), z.boolean()], 'must be true, false or a finite number').nullable().optional();

export const newActuatorSchema = z.strictObject({
  id: idSchema,
  name: nameSchema,
  type: z.enum(['binary', 'continuous'], 'must be binary or continuous'),
  description: descriptionSchema,
  current_state: stateSchema,
  binding: z
    .strictObject({ ...bindingFields, min: limitSchema, max: limitSchema })
    .nullable()
    .optional()
    .describe('the tag that is written; the writable tag of the same name when absent'),
});
export type NewActuator = z.output<typeof newActuatorSchema>;

export const actuatorPatchSchema = z.strictObject({
  name: nameSchema.optional(),
  description: descriptionSchema,
  current_state: stateSchema,
  id: sameId,
  type: unchanged,
  binding: unchanged,
  desired_state: ignored,
  last_updated: asRead,
});

/** Throws `validation_error`. */
export function requireSmall(metadata: Readonly<Record<string, unknown>>): void {
  if (Buffer.byteLength(JSON.stringify(metadata)) <= MAX_METADATA_BYTES) return;
  throw invalid([{ field: 'metadata', message: `must be at most ${MAX_METADATA_BYTES} bytes as JSON` }]);
}

/** A client may send back the id that it read. Throws `validation_error` for another. */
export function requireSameId(sent: string | undefined, id: string): void {
  if (sent !== undefined && sent !== id) throw invalid([{ field: 'id', message: 'is not changed: must be the id of the path' }]);
}

/** Throws `validation_error` naming the lower one. */
export function requireOrder(field: string, min: number | null | undefined, max: number | null | undefined): void {
  if (typeof min !== 'number' || typeof max !== 'number' || min <= max) return;
  throw invalid([{ field, message: `must not be greater than the maximum, ${max}` }]);
}
