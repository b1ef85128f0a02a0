/** Schema of an alert rule as people write it, over the API and in the configuration file alike. */
import { z } from 'zod';
import { ID_PATTERN, TAG_NAME_PATTERN } from '../core/tag.ts';
import { SEVERITIES } from './alert.ts';
import { type Condition, faultOf, OPERATORS, type RuleDraft } from './rule.ts';

const MAX_DURATION_S = 86_400;
const MAX_NO_DATA_S = 7 * 86_400;
const MAX_CHANNELS = 20;
const MAX_TEXT = 1_024; // as long as a reading may be

const idSchema = z.string().regex(ID_PATTERN, 'must be 1–128 letters, digits, ".", "_", ":" or "-", starting with a letter or digit');

const seconds = (min: number, max: number) =>
  z.number().min(min, `must be from ${min} to ${max}`).max(max, `must be from ${min} to ${max}`);

const thresholdSchema = z
  .union(
    [z.number(), z.boolean(), z.string().max(MAX_TEXT), z.tuple([z.number(), z.number()])],
    'must be a number, true, false, a text or two numbers',
  )
  .describe('what the reading is held against; two numbers for between and outside, a change in one second for rate_of_change');

const conditionSchema = z
  .strictObject({
    tag_name: z.string().regex(TAG_NAME_PATTERN, 'must be 1–128 printable characters').describe('the tag that is watched'),
    operator: z
      .enum(OPERATORS, `must be one of ${OPERATORS.join(', ')}`)
      .describe('between and outside take the ends as belonging to the band'),
    value: thresholdSchema,
    duration_seconds: seconds(0, MAX_DURATION_S)
      .default(0)
      .describe('how long it must hold, by the time of the samples; bad samples and gaps do not count'),
    asset_id: idSchema.nullable().optional().describe('every asset that has the tag, each for itself, when absent'),
    clear_value: z
      .number()
      .nullable()
      .optional()
      .describe('for gt, gte, lt and lte: how far the value must come back before the alert is over'),
    no_data_seconds: seconds(1, MAX_NO_DATA_S)
      .nullable()
      .optional()
      .describe('without a usable sample for so long it is an alert too; not watched when absent'),
  })
  .superRefine(({ operator, value, clear_value: clearValue }, context) => {
    const fault = faultOf(operator, value, clearValue ?? undefined);
    if (fault) context.addIssue({ code: 'custom', path: [fault.field], message: fault.message });
  });

/** Without what the box itself knows of a rule. */
export const ruleFields = {
  name: z.string().min(1, 'must not be empty').max(256, 'must be at most 256 characters').describe('stands in its alerts'),
  severity: z
    .enum(SEVERITIES, `must be one of ${SEVERITIES.join(', ')}`)
    .default('warning')
    .describe('how bad it is'),
  data_source_id: idSchema.nullable().optional().describe('only readings of this source; of every source when absent'),
  condition: conditionSchema.describe('when there is an alert'),
  notifications: z
    .array(z.string().min(1, 'must not be empty').max(128, 'must be at most 128 characters'))
    .max(MAX_CHANNELS, `must hold at most ${MAX_CHANNELS} channels`)
    .default([])
    .describe('names of the channels that hear of it'),
  enabled: z.boolean().default(true).describe('false: it is kept and not watched'),
};

const ruleSchema = z.object(ruleFields);

/** In the terms of the house. */
export function toRuleDraft(rule: z.output<typeof ruleSchema>): RuleDraft {
  const { name, severity, data_source_id: source, condition, notifications, enabled } = rule;
  return {
    name,
    severity,
    ...(source != null && { dataSourceId: source }),
    condition: toCondition(condition),
    channels: [...new Set(notifications)],
    enabled,
  };
}

function toCondition(condition: z.output<typeof conditionSchema>): Condition {
  const { tag_name: tagName, operator, value, duration_seconds: durationS } = condition;
  const { asset_id: assetId, clear_value: clearValue, no_data_seconds: noDataS } = condition;
  return {
    tagName,
    operator,
    value,
    durationMs: Math.round(durationS * 1_000),
    ...(assetId != null && { assetId }),
    ...(clearValue != null && { clearValue }),
    ...(noDataS != null && { noDataMs: Math.round(noDataS * 1_000) }),
  };
}
