/** Schemas of what the TwinEdge routes answer. */
import { z } from 'zod';
import { explainSchema } from '../explain.ts';
import { ledgerFields, qualitySchema, sourceFields, timeSchema, valueSchema } from '../schema.ts';

export const dataSourceSchema = z.object(sourceFields).meta({ id: 'DataSource' });

/** What a client says of a source. */
export const draftFields = {
  name: z.string(),
  type: z.string(),
  enabled: z.boolean(),
  profile: z.string().optional().describe('stands in place of tags'),
  config: z.unknown().describe('as its type has it; secrets read ********'),
  tags: z.array(z.unknown()).describe('as its type has them; none where a profile stands for them'),
};

export const dataSourceDetailSchema = z
  .object({
    ...sourceFields,
    ...draftFields,
    revision: z.int().nullable().describe('null for sources of the configuration file'),
    updated_at: timeSchema.nullable(),
    stats: z.object({
      ...ledgerFields,
      errors: z.int().describe('failed connects and lost links since the start'),
      last_error: z.string().nullable(),
    }),
  })
  .meta({ id: 'DataSourceDetail' });

export const pointSchema = z
  .object({
    timestamp: timeSchema,
    asset_id: z.string(),
    tag_name: z.string(),
    value: valueSchema,
    quality: qualitySchema,
    data_source_id: z.string().optional().describe('absent for aggregated rows'),
    count: z
      .int()
      .optional()
      .describe('samples in the bucket, of which texts have no part in numbers such as avg; only for aggregated rows'),
    explain: explainSchema.nullable().optional().describe('only of the latest values, with explain=1'),
  })
  .meta({ id: 'TelemetryPoint' });

export const DATA_SOURCE_EXAMPLE = {
  id: 'ds-123',
  name: 'Factory OPC UA Server',
  type: 'opcua',
  endpoint: 'opc.tcp://192.168.1.100:4840',
  status: 'connected',
  state: 'connected',
  reason: null,
  tag_count: 45,
  managed_by: 'config',
  created_at: '2026-01-01T00:00:00Z',
};

export const DATA_SOURCE_DETAIL_EXAMPLE = {
  ...DATA_SOURCE_EXAMPLE,
  name: 'Production Line PLC',
  type: 'modbus',
  endpoint: '192.168.1.50:502',
  managed_by: 'api',
  tag_count: 0,
  enabled: true,
  config: { host: '192.168.1.50', port: 502, unit_id: 1 },
  tags: [],
  revision: 1,
  updated_at: '2026-01-01T00:00:00Z',
  stats: {
    received: 0,
    committed: 0,
    deadbanded: 0,
    deduplicated: 0,
    rejected: {},
    dropped: {},
    in_flight: 0,
    clock_ahead: 0,
    errors: 0,
    last_error: null,
  },
};

export const POINT_EXAMPLE = {
  timestamp: '2026-01-06T10:00:00Z',
  asset_id: 'Pump_001',
  tag_name: 'temperature',
  value: 65.5,
  quality: 'good',
  data_source_id: 'api',
};
