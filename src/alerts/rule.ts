/** An alert rule: what is watched, when it is wrong, and who hears of it. */
import type { UnixMs } from '../core/time.ts';
import type { Severity, Threshold } from './alert.ts';

/** `between` and `outside` take two numbers, the ends belonging to the band; `rate_of_change` is a change in one second. */
export const OPERATORS = ['gt', 'gte', 'lt', 'lte', 'eq', 'neq', 'between', 'outside', 'rate_of_change'] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Condition {
  readonly tagName: string;
  readonly operator: Operator;
  readonly value: Threshold;
  /** How long it must hold, by the time of the samples. */
  readonly durationMs: number;
  /** Absent: every asset that has the tag, each for itself. */
  readonly assetId?: string;
  /** Where the value must come back to before the alert is over; absent: where the condition no longer holds. */
  readonly clearValue?: number;
  /** Without a usable sample for so long it is an alert too. */
  readonly noDataMs?: number;
}

/** What somebody wants a rule to be. */
export interface RuleDraft {
  readonly name: string;
  readonly severity: Severity;
  /** Absent: whatever source the tag's readings come from. */
  readonly dataSourceId?: string;
  readonly condition: Condition;
  /** Names of channels. */
  readonly channels: readonly string[];
  readonly enabled: boolean;
}

export interface RuleKey {
  readonly tenant: string;
  readonly id: string;
}

/** A rule of the configuration file. */
export interface RuleSpec extends RuleKey, RuleDraft {}

export interface Rule extends RuleSpec {
  /** 1 at creation, one more with each change. */
  readonly revision: number;
  readonly managedBy: 'config' | 'api';
  readonly createdMs: UnixMs;
  readonly updatedMs: UnixMs;
}

/** Until then nobody is notified of the rule's alerts on the asset. */
export interface Shelf {
  readonly asset: string;
  readonly untilMs: UnixMs;
}

/** How a rule fares, on that of its assets where it fares worst. */
export const RULE_STATES = ['ok', 'pending', 'firing', 'no_data'] as const;
export type RuleState = (typeof RULE_STATES)[number];

export interface Fault {
  /** Member of the condition, in the words of the API. */
  readonly field: 'value' | 'clear_value';
  readonly message: string;
}

/** What is wrong between the operator and the values that it is given; undefined when nothing is. */
export function faultOf(operator: Operator, value: Threshold, clearValue: number | undefined): Fault | undefined {
  const message = valueFault(operator, value);
  if (message !== undefined) return { field: 'value', message };
  if (clearValue === undefined) return undefined;
  const isUpper = operator === 'gt' || operator === 'gte';
  if (!isUpper && operator !== 'lt' && operator !== 'lte') {
    return { field: 'clear_value', message: 'works with the operators gt, gte, lt and lte' };
  }
  if (isUpper && clearValue > Number(value)) return { field: 'clear_value', message: `must not be above the value, ${value}` };
  if (!isUpper && clearValue < Number(value)) return { field: 'clear_value', message: `must not be below the value, ${value}` };
  return undefined;
}

function valueFault(operator: Operator, value: Threshold): string | undefined {
  switch (operator) {
    case 'between':
    case 'outside':
      if (typeof value !== 'object') return 'must be two numbers, such as [10, 20]';
      return value[0] <= value[1] ? undefined : 'the first number must not be above the second';
    case 'eq':
    case 'neq':
      return typeof value === 'object' ? 'must be a number, true, false or a text' : undefined;
    case 'rate_of_change':
      return typeof value === 'number' && value !== 0 ? undefined : 'must be a number but 0: a rise in one second, or a fall below 0';
    default:
      return typeof value === 'number' ? undefined : 'must be a number';
  }
}
