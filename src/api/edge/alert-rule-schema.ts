/** Schemas of alert rules, and what an answer shows of one. */
import { z } from 'zod';
import { RULE_STATES, type Rule, type RuleState, type Shelf } from '../../alerts/rule.ts';
import { ruleFields } from '../../alerts/schema.ts';
import { toIso } from '../../core/time.ts';
import { idSchema } from '../../drivers/schema.ts';
import { timeSchema } from '../schema.ts';
import { noteSchema } from './alert-schema.ts';

const ignored = z.unknown().optional().describe('ignored');

export const newRuleSchema = z.strictObject(ruleFields);

/** With what a GET shows and nobody may set, so that an edited answer can be sent back. */
export const rulePutSchema = z.strictObject({
  ...ruleFields,
  id: z.string().optional().describe('must be that of the path'),
  state: ignored,
  shelved: ignored,
  managed_by: ignored,
  created_at: ignored,
  updated_at: ignored,
});

export const ruleUnshelveSchema = z.strictObject({
  asset_id: idSchema.optional().describe('on this asset alone'),
  note: noteSchema.describe('stays with its open alerts'),
});

const thresholdSchema = z.union([z.number(), z.boolean(), z.string(), z.tuple([z.number(), z.number()])]);

export const ruleSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    severity: ruleFields.severity.unwrap(),
    data_source_id: z.string().nullable(),
    condition: z.object({
      tag_name: z.string(),
      operator: z.string(),
      value: thresholdSchema,
      duration_seconds: z.number(),
      asset_id: z.string().optional(),
      clear_value: z.number().optional(),
      no_data_seconds: z.number().optional(),
    }),
    notifications: z.array(z.string()),
    enabled: z.boolean(),
    state: z.enum(RULE_STATES).describe('of the asset on which it fares worst; ok while it is disabled'),
    shelved: z
      .array(z.object({ asset_id: z.string(), until: timeSchema }))
      .describe('where nobody is notified of its alerts for a while, whether there is one or not'),
    managed_by: z.enum(['config', 'api']),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .meta({ id: 'AlertRule' });

export const warningsSchema = z.object({
  warnings: z.array(z.object({ field: z.string(), message: z.string() })).describe('what was accepted and will have no effect'),
});

export const RULE_DRAFT_EXAMPLE = {
  name: 'High Temperature',
  severity: 'warning',
  data_source_id: 'ds-123',
  condition: { tag_name: 'temperature', operator: 'gt', value: 80, duration_seconds: 60 },
  notifications: ['email', 'slack'],
};

export const RULE_EXAMPLE = {
  id: 'ar-k5xw2mfa7qzc',
  ...RULE_DRAFT_EXAMPLE,
  enabled: true,
  state: 'ok',
  shelved: [],
  managed_by: 'api',
  created_at: '2026-01-06T10:00:00Z',
  updated_at: '2026-01-06T10:00:00Z',
};

export function renderRule(rule: Rule, state: RuleState, shelves: readonly Shelf[]): z.output<typeof ruleSchema> {
  const { tagName, operator, value, durationMs, assetId, clearValue, noDataMs } = rule.condition;
  return {
    id: rule.id,
    name: rule.name,
    severity: rule.severity,
    data_source_id: rule.dataSourceId ?? null,
    condition: {
      tag_name: tagName,
      operator,
      value: typeof value === 'object' ? [value[0], value[1]] : value,
      duration_seconds: durationMs / 1_000,
      ...(assetId !== undefined && { asset_id: assetId }),
      ...(clearValue !== undefined && { clear_value: clearValue }),
      ...(noDataMs !== undefined && { no_data_seconds: noDataMs / 1_000 }),
    },
    notifications: [...rule.channels],
    enabled: rule.enabled,
    state,
    shelved: shelves.map(({ asset, untilMs }) => ({ asset_id: asset, until: toIso(untilMs) })),
    managed_by: rule.managedBy,
    created_at: toIso(rule.createdMs),
    updated_at: toIso(rule.updatedMs),
  };
}
