/** Schemas of what the TwinEdge routes answer. */
import { z } from 'zod';
import { explainSchema } from '../explain.ts';
import { qualitySchema, sourceFields, timeSchema, valueSchema } from '../schema.ts';

export const dataSourceSchema = z.object(sourceFields).meta({ id: 'DataSource' });

export const pointSchema = z
  .object({
    timestamp: timeSchema,
    asset_id: z.string(),
    tag_name: z.string(),
    value: valueSchema,
    quality: qualitySchema,
    data_source_id: z.string().optional().describe('absent for aggregated rows'),
    count: z.int().optional().describe('samples in the bucket; only for aggregated rows'),
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

export const POINT_EXAMPLE = {
  timestamp: '2026-01-06T10:00:00Z',
  asset_id: 'Pump_001',
  tag_name: 'temperature',
  value: 65.5,
  quality: 'good',
  data_source_id: 'api',
};
