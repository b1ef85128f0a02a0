/** Schemas of alerts, and what an answer shows of one. */
import { z } from 'zod';
import { ALERT_STATUSES, SEVERITIES } from '../../alerts/alert.ts';
import { timeSchema } from '../schema.ts';

const MAX_NOTE = 2_048;
const MAX_SHELVED_MINUTES = 7 * 24 * 60; // who needs longer disables the rule

export const noteSchema = z
  .string()
  .max(MAX_NOTE, `must be at most ${MAX_NOTE} characters`)
  .nullable()
  .optional()
  .describe('stays with the alert');

export const remarkSchema = z.strictObject({ note: noteSchema });

export const shelveSchema = z.strictObject({
  minutes: z.number().min(1, 'must be at least 1').max(MAX_SHELVED_MINUTES, `must be at most ${MAX_SHELVED_MINUTES}, a week`),
  note: noteSchema,
});

export const alertSchema = z
  .object({
    id: z.string(),
    rule_id: z.string(),
    rule_name: z.string(),
    severity: z.enum(SEVERITIES),
    status: z.enum(ALERT_STATUSES),
    kind: z.enum(['condition', 'no_data']),
    message: z.string(),
    data_source_id: z.string().nullable().describe('whose reading fired it'),
    asset_id: z.string(),
    tag_name: z.string(),
    value: z.union([z.number(), z.boolean(), z.string(), z.null()]).describe('at firing'),
    threshold: z.union([z.number(), z.boolean(), z.string(), z.tuple([z.number(), z.number()]), z.null()]),
    created_at: timeSchema,
    triggered_at: timeSchema.describe('by the time of the samples'),
    acknowledged_at: timeSchema.nullable(),
    acknowledged_by: z.string().nullable(),
    resolved_at: timeSchema.nullable(),
    resolved_by: z.string().nullable().describe('null where nobody did it'),
    resolution: z.enum(['cleared', 'data_returned', 'resolved', 'rule_deleted', 'rule_disabled', 'rule_changed']).nullable(),
    shelved_until: timeSchema.nullable().describe('until then nobody is notified of it'),
    notes: z.array(z.object({ at: timeSchema, by: z.string(), note: z.string() })),
    deliveries: z.array(
      z.object({
        channel: z.string(),
        event: z.string().describe('triggered or resolved'),
        status: z.enum(['pending', 'delivered', 'failed', 'suppressed']),
        attempts: z.int(),
        last_error: z.string().nullable(),
        delivered_at: timeSchema.nullable(),
      }),
    ),
  })
  .meta({ id: 'Alert' });

export const ALERT_EXAMPLE = {
  id: 'alert-k5xw2mfa7qzc',
  rule_id: 'ar-k5xw2mfa7qzc',
  rule_name: 'High Temperature',
  severity: 'warning',
  status: 'active',
  kind: 'condition',
  message: 'High Temperature: temperature of Pump_001 is 92.5, above 80 for 60 s',
  data_source_id: 'ds-123',
  asset_id: 'Pump_001',
  tag_name: 'temperature',
  value: 92.5,
  threshold: 80,
  created_at: '2026-01-06T10:01:00Z',
  triggered_at: '2026-01-06T10:01:00Z',
  acknowledged_at: null,
  acknowledged_by: null,
  resolved_at: null,
  resolved_by: null,
  resolution: null,
  shelved_until: null,
  notes: [],
  deliveries: [
    {
      channel: 'email',
      event: 'triggered',
      status: 'delivered',
      attempts: 1,
      last_error: null,
      delivered_at: '2026-01-06T10:01:02Z',
    },
  ],
};
