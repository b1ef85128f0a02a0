/** What an alert says to people. */
import type { AlertValue } from './alert.ts';
import type { Condition, Rule } from './rule.ts';

const MAX_MESSAGE_LENGTH = 1_024;
const MAX_SHOWN_TEXT = 200;

/** `High Temperature: temperature of Pump_001 is 92.5, above 80 for 60 s`; at most 1,024 characters. */
export function messageOf(rule: Rule, asset: string, value: AlertValue | null): string {
  const { condition } = rule;
  const what = `${condition.tagName} of ${asset}`;
  const said =
    value === null ? `${what} has had no data for ${(condition.noDataMs ?? 0) / 1_000} s` : `${what} ${saidOf(condition, value)}`;
  const message = `${rule.name}: ${said}`;
  return message.length <= MAX_MESSAGE_LENGTH ? message : `${message.slice(0, MAX_MESSAGE_LENGTH - 1)}…`.toWellFormed();
}

function saidOf({ operator, value: threshold, durationMs }: Condition, value: AlertValue): string {
  const duration = durationMs === 0 ? '' : ` for ${durationMs / 1_000} s`;
  const limit = shown(typeof threshold === 'object' ? `${threshold[0]} and ${threshold[1]}` : threshold);
  const is = `is ${shown(value)}`;
  switch (operator) {
    case 'gt':
      return `${is}, above ${limit}${duration}`;
    case 'gte':
      return `${is}, at or above ${limit}${duration}`;
    case 'lt':
      return `${is}, below ${limit}${duration}`;
    case 'lte':
      return `${is}, at or below ${limit}${duration}`;
    case 'eq':
      return `${is}${duration}`;
    case 'neq':
      return `${is}, not ${limit}${duration}`;
    case 'between':
      return `${is}, between ${limit}${duration}`;
    case 'outside':
      return `${is}, not between ${limit}${duration}`;
    case 'rate_of_change':
      return `${is} and ${Number(threshold) > 0 ? 'rises' : 'falls'} faster than ${limit} in a second${duration}`;
  }
}

function shown(value: AlertValue): string {
  const text = String(value);
  return text.length <= MAX_SHOWN_TEXT ? text : `${text.slice(0, MAX_SHOWN_TEXT)}…`;
}
