/** MQTT topic filters: what they allow, what they match, and the levels that name an asset, a tag or a tenant. (MQTT 3.1.1 and 5.0 §4.7) */
import { GatewayError } from '../../core/errors.ts';

/** What a level of a topic can stand for. */
export type CaptureName = 'asset' | 'tag' | 'tenant';

export type Captures = { readonly [name in CaptureName]?: string };

/** A topic as a configuration gives it, taken apart once. */
export interface TopicPattern {
  /** What is subscribed to: captures have become `+`, a `$share` prefix stays. */
  readonly subscription: string;
  /** What a message's topic is compared with, level by level; without the `$share` prefix. */
  readonly levels: readonly string[];
  /** Where the captures stand in `levels`. */
  readonly captures: { readonly [name in CaptureName]?: number };
}

const MAX_TOPIC_BYTES = 65_535; // [MQTT-4.7.3-3]
const CAPTURE = /^\{(asset|tag|tenant)\}$/;

/**
 * Takes a topic filter with captures apart: `plants/{asset}/{tag}`, `plants/+/temp`, `$share/group/plants/#`.
 * @throws Error whose message says what is wrong.
 */
export function parseTopic(topic: string): TopicPattern {
  if (topic === '') throw new Error('must not be empty'); // [MQTT-4.7.3-1]
  if (topic.includes('\0')) throw new Error('must not hold a NUL character'); // [MQTT-4.7.3-2]
  if (Buffer.byteLength(topic) > MAX_TOPIC_BYTES) throw new Error(`must not be longer than ${MAX_TOPIC_BYTES} bytes`);
  const all = topic.split('/');
  const shared = all[0] === '$share';
  if (shared && (all.length < 3 || !all[1] || /[+#]/.test(all[1]) || (all.length === 3 && !all[2]))) {
    throw new Error('a shared subscription is "$share/<group>/<topic>"'); // [MQTT-4.8.2-1], [MQTT-4.8.2-2]
  }
  const levels: string[] = [];
  const captures: { [name in CaptureName]?: number } = {};
  const own = shared ? all.slice(2) : all;
  for (const [index, level] of own.entries()) {
    const name = CAPTURE.exec(level)?.[1] as CaptureName | undefined;
    if (name === undefined) checkLevel(level, index === own.length - 1);
    else if (captures[name] !== undefined) throw new Error(`holds {${name}} twice`);
    else captures[name] = index;
    levels.push(name === undefined ? level : '+');
  }
  const prefix = shared ? `$share/${all[1]}/` : '';
  return { subscription: prefix + levels.join('/'), levels, captures };
}

function checkLevel(level: string, last: boolean): void {
  if (level === '+' || (level === '#' && last)) return;
  if (level === '#') throw new Error('may hold "#" only as its last level'); // [MQTT-4.7.1-2]
  if (/[+#]/.test(level)) throw new Error(`level "${level}": a wildcard takes the whole level`); // [MQTT-4.7.1-2], [MQTT-4.7.1-3]
  if (/\{(asset|tag|tenant)\}/.test(level)) throw new Error(`level "${level}": a capture takes the whole level`);
  const unknown = /^\{.*\}$/.exec(level);
  if (unknown) throw new Error(`unknown capture ${level}: use {asset}, {tag} or {tenant}`);
}

/** What is wrong with the topic of a command; undefined when it can be published to and is not heard as the tag's own reading. */
export function checkWriteTopic(writeTopic: string, topic: string): string | undefined {
  let own: TopicPattern;
  let pattern: TopicPattern;
  try {
    own = parseTopic(writeTopic);
    pattern = parseTopic(topic);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const levels = writeTopic.split('/');
  if (levels.some((level) => level === '+' || level === '#') || levels[0] === '$share') return 'must be one topic, without wildcards';
  if ('tenant' in own.captures) return 'cannot hold {tenant}';
  if (covers(pattern.levels, own.levels)) return 'falls under "topic": our own command would be taken for the answer of the device';
  return undefined;
}

/** The topic with its captures filled in. Throws `invalid_value` where a name cannot stand in a topic. */
export function fillTopic(topic: string, captures: Captures): string {
  return topic
    .split('/')
    .map((level) => {
      const name = CAPTURE.exec(level)?.[1] as CaptureName | undefined;
      if (name === undefined) return level;
      const filled = captures[name] ?? '';
      if (filled === '' || /[/+#\0]/.test(filled)) throw new GatewayError('invalid_value', `"${filled}" cannot be a level of a topic`);
      return filled;
    })
    .join('/');
}

/** True when a message with this topic, split at `/`, falls under the filter's levels. */
export function matches(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith('$') && (filter[0] === '+' || filter[0] === '#')) return false; // [MQTT-4.7.2-1]
  for (const [index, level] of filter.entries()) {
    if (level === '#') return true; // also the parent level itself, §4.7.1.2
    if (index >= topic.length || (level !== '+' && level !== topic[index])) return false;
  }
  return filter.length === topic.length;
}

/** The captured levels of a topic that matches the pattern. */
export function capture(pattern: TopicPattern, topic: readonly string[]): Captures {
  const captured: { [name in CaptureName]?: string } = {};
  for (const [name, index] of Object.entries(pattern.captures)) captured[name as CaptureName] = topic[index] ?? '';
  return captured;
}

/**
 * The filters to subscribe to: each once, and none that another of them covers, as a broker may send a message once
 * for each filter it falls under (MQTT 3.1.1 §3.3.5).
 */
export function subscriptionsOf(patterns: readonly TopicPattern[]): string[] {
  const unique = new Map(patterns.map((pattern) => [pattern.subscription, pattern]));
  const wide = [...unique.values()].filter(
    (pattern) => !isShared(pattern) && pattern.levels.some((level) => level === '+' || level === '#'),
  );
  const covered = (one: TopicPattern): boolean => !isShared(one) && wide.some((other) => other !== one && covers(other.levels, one.levels));
  return [...unique.values()].filter((pattern) => !covered(pattern)).map((pattern) => pattern.subscription);
}

function isShared(pattern: TopicPattern): boolean {
  return pattern.subscription.startsWith('$share/');
}

/** True when every topic that falls under `narrow` falls under `wide` too. */
export function covers(wide: readonly string[], narrow: readonly string[]): boolean {
  if (narrow[0]?.startsWith('$') && (wide[0] === '+' || wide[0] === '#')) return false; // [MQTT-4.7.2-1]
  for (const [index, level] of wide.entries()) {
    if (level === '#') return true;
    const other = narrow[index];
    if (other === undefined || other === '#' || (level !== '+' && level !== other)) return false;
  }
  return wide.length === narrow.length;
}
