/** Schemas of what the Twin API answers. */
import { z } from 'zod';
import { explainSchema } from '../explain.ts';
import { qualitySchema, timeSchema, valueSchema } from '../schema.ts';

const bindingFields = {
  data_source_id: z.string().optional().describe('only values of this source; of every source when absent'),
  asset_id: z.string(),
  tag_name: z.string(),
};

const bindingSchema = z.object(bindingFields).meta({ id: 'Binding', description: 'where the values come from' });

export const sensorSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    unit: z.string(),
    current_value: valueSchema,
    min_value: z.number().nullable(),
    max_value: z.number().nullable(),
    last_updated: timeSchema.nullable(),
    quality: qualitySchema,
    binding: bindingSchema.optional(),
    explain: explainSchema.nullable().optional().describe('only with explain=1; null without a reading'),
  })
  .meta({ id: 'Sensor' });

export const actuatorSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    type: z.enum(['binary', 'continuous']),
    current_state: valueSchema,
    last_updated: timeSchema.nullable(),
    desired_state: valueSchema.optional().describe('what was asked for and the device does not show'),
    binding: z
      .object({ ...bindingFields, min: z.number().optional(), max: z.number().optional() })
      .optional()
      .describe('the tag that is written, and what may be asked of it'),
  })
  .meta({ id: 'Actuator' });

const summaryFields = {
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  type: z.string(),
  status: z.enum(['active', 'inactive', 'archived']),
  sensor_count: z.int(),
  actuator_count: z.int(),
  managed_by: z.enum(['config', 'api']),
  created_at: timeSchema,
  updated_at: timeSchema,
};

export const summarySchema = z.object(summaryFields).meta({ id: 'TwinSummary' });

export const twinSchema = z
  .object({
    ...summaryFields,
    sensors: z.array(sensorSchema),
    actuators: z.array(actuatorSchema),
    metadata: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Twin' });

export const paginationSchema = z
  .object({
    total_items: z.int(),
    total_pages: z.int(),
    current_page: z.int(),
    per_page: z.int(),
    total_capped: z.literal(true).optional().describe('there are more than were counted'),
  })
  .meta({ id: 'Pagination' });

export const linksSchema = z
  .object({ self: z.string(), first: z.string(), prev: z.string().optional(), next: z.string().optional(), last: z.string() })
  .meta({ id: 'Links', description: 'relative; `prev` and `next` are absent at the edges' });

export const TWIN_SUMMARY_EXAMPLE = {
  id: 'pump-101',
  name: 'Main Cooling Pump',
  description: 'Primary cooling pump for reactor system',
  type: 'equipment',
  status: 'active',
  sensor_count: 1,
  actuator_count: 1,
  managed_by: 'config',
  created_at: '2025-10-01T12:00:00Z',
  updated_at: '2025-10-15T09:30:00Z',
};

export const SENSOR_EXAMPLE = {
  id: 'temperature',
  name: 'Temperature',
  description: null,
  unit: '°C',
  current_value: 65.5,
  min_value: -10,
  max_value: 100,
  last_updated: '2025-11-17T03:57:00Z',
  quality: 'good',
};

export const ACTUATOR_EXAMPLE = {
  id: 'power',
  name: 'Power Switch',
  description: null,
  type: 'binary',
  current_state: true,
  last_updated: '2025-11-17T03:57:00Z',
  binding: { data_source_id: 'ds-press', asset_id: 'pump-101', tag_name: 'power' },
};

export const TWIN_EXAMPLE = {
  ...TWIN_SUMMARY_EXAMPLE,
  sensors: [SENSOR_EXAMPLE],
  actuators: [ACTUATOR_EXAMPLE],
  metadata: { manufacturer: 'FlowTech Industries', model: 'FT-3000' },
};
