/** Makes letters: of an alert's news, of a storm's rest, and the one that tries a channel. */
import { toIso, type UnixMs } from '../../core/time.ts';
import { SEVERITIES, type Severity } from '../alert.ts';
import type { AlertNotice } from '../notice.ts';
import type { Letter } from './letter.ts';

const MAX_MESSAGE = 2_000;
const MAX_SUBJECT = 200;
/** Of a summary: the worst first, which is the order of `SEVERITIES`; the rest is in the list of alerts. */
const MAX_LISTED = 10;

/** Where a letter comes from. */
export interface Origin {
  /** Host name of the box. */
  readonly box: string;
  readonly tenant: string;
}

export function alertLetter(notice: AlertNotice, box: string): Letter {
  const { event, severity, tenant } = notice;
  const message = notice.message.slice(0, MAX_MESSAGE);
  const id = `${notice.alertId}.${event}`;
  const facts: readonly (readonly [string, string])[] = [
    ['Event', event],
    ['Severity', severity],
    ['Rule', `${notice.ruleName} (${notice.ruleId})`],
    ['Asset', notice.assetId],
    ['Tag', notice.tagName],
    ['Value', shown(notice.value)],
    ['Threshold', shown(notice.threshold)],
    ['Time', toIso(notice.timeMs)],
    ['Source', notice.dataSourceId ?? '–'],
    ['Alert', notice.alertId],
    ['Tenant', tenant],
    ['Box', box],
  ];
  const alert = {
    id: notice.alertId,
    rule_id: notice.ruleId,
    rule_name: notice.ruleName,
    severity,
    message,
    data_source_id: notice.dataSourceId,
    asset_id: notice.assetId,
    tag_name: notice.tagName,
    value: notice.value,
    threshold: notice.threshold,
    timestamp: toIso(notice.timeMs),
  };
  return {
    id,
    event,
    severity,
    subject: oneLine(`[${event === 'resolved' ? 'resolved' : severity}] ${notice.ruleName}: ${notice.assetId} ${notice.tagName}`),
    text: [message, '', ...facts.map(([name, value]) => `${`${name}:`.padEnd(11)}${flat(value)}`)].join('\n'),
    document: { id, event, box, tenant, alert },
    timeMs: notice.timeMs,
  };
}

/** `letters` are those that it speaks for, at least one. */
export function summaryLetter(
  letters: readonly Letter[],
  { box, tenant }: Origin,
  at: { readonly id: string; readonly nowMs: UnixMs },
): Letter {
  const triggered = letters.filter(({ event }) => event === 'triggered').length;
  const bySeverity = Object.fromEntries(
    SEVERITIES.map((severity) => [severity, letters.filter((letter) => letter.severity === severity).length]),
  ) as Record<Severity, number>;
  const worstFirst = letters.toSorted((left, right) => SEVERITIES.indexOf(left.severity) - SEVERITIES.indexOf(right.severity));
  const listed = worstFirst.slice(0, MAX_LISTED).map(({ subject }) => subject);
  const times = letters.map(({ timeMs }) => timeMs);
  const from = toIso(Math.min(...times));
  const to = toIso(Math.max(...times));
  const counted = SEVERITIES.filter((severity) => bySeverity[severity] > 0).map((severity) => `${bySeverity[severity]} ${severity}`);
  const headline = `${letters.length} further alerts from ${from} to ${to}: ${triggered} triggered, ${letters.length - triggered} resolved (${counted.join(', ')}).`;
  const rest = letters.length - listed.length;
  const lines = [...listed.map((subject) => `- ${subject}`), ...(rest > 0 ? [`- and ${rest} more`] : [])];
  const summary = {
    count: letters.length,
    triggered,
    resolved: letters.length - triggered,
    severities: bySeverity,
    from,
    to,
    alerts: listed,
  };
  return {
    id: at.id,
    event: 'summary',
    severity: worstFirst[0]?.severity ?? 'info',
    subject: oneLine(`[${worstFirst[0]?.severity ?? 'info'}] ${letters.length} further alerts`),
    text: [headline, '', ...lines, '', `Tenant: ${tenant}`, `Box: ${box}`].join('\n'),
    document: { id: at.id, event: 'summary', box, tenant, summary },
    timeMs: at.nowMs,
  };
}

export function testLetter(channel: string, { box, tenant }: Origin, at: { readonly id: string; readonly nowMs: UnixMs }): Letter {
  const message = `This is a test of the channel "${channel}". No alert is behind it.`;
  return {
    id: at.id,
    event: 'test',
    severity: 'info',
    subject: oneLine(`[test] ${channel}`),
    text: [message, '', `Time: ${toIso(at.nowMs)}`, `Tenant: ${tenant}`, `Box: ${box}`].join('\n'),
    document: { id: at.id, event: 'test', box, tenant, message, timestamp: toIso(at.nowMs) },
    timeMs: at.nowMs,
  };
}

/** Names come from rules and devices: nothing in them may begin a new line, or a new header. */
function oneLine(text: string): string {
  return flat(text).slice(0, MAX_SUBJECT);
}

function flat(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}

function shown(value: AlertNotice['value'] | AlertNotice['threshold']): string {
  if (value === null) return '–';
  return typeof value === 'object' ? value.join(' … ') : String(value);
}
