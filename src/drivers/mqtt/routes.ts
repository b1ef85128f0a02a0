/** Which tags a message speaks of: tags grouped by topic filter once, then looked up by the topic of each message. */
import type { EmitTag } from '../../core/emit.ts';
import type { SeriesId } from '../../core/tag.ts';
import { type TagRef, tagKey } from '../driver.ts';
import { compileJsonPath, type JsonPath } from './json-path.ts';
import type { MqttTag } from './options.ts';
import type { ReadingRule, ReadValue } from './payload.ts';
import { type Captures, capture, covers, matches, parseTopic, subscriptionsOf, type TopicPattern } from './topic.ts';

/** A tag under one concrete topic. */
export interface Binding {
  /** The tag's own options, by which it is known again after a change of others. */
  readonly options: MqttTag;
  readonly rule: ReadingRule;
  readonly tag: EmitTag;
  readonly topic: string;
  /** The newest that came, and its place among all that came: 0 before the first. */
  last: ReadValue | undefined;
  arrival: number;
  /** Filled in by whoever has asked for the series. */
  series: SeriesId | undefined;
}

interface TagRule {
  readonly tag: MqttTag;
  readonly rule: ReadingRule;
}

interface Route {
  readonly pattern: TopicPattern;
  readonly tagRules: TagRule[];
}

export class Routes {
  /** The filters to subscribe to. */
  readonly subscriptions: readonly string[];
  readonly #sourceId: string;
  readonly #exact = new Map<string, Route>();
  readonly #wild: readonly Route[];
  readonly #routes: readonly Route[];
  readonly #tags: ReadonlySet<MqttTag>;

  /** @param sourceId the asset of tags that name none */
  constructor(tags: readonly MqttTag[], sourceId: string) {
    this.#sourceId = sourceId;
    this.#tags = new Set(tags);
    const compiled = new Map<string, JsonPath>();
    const compile = (path: string | undefined): JsonPath | undefined => {
      if (path === undefined) return undefined;
      const known = compiled.get(path) ?? compileJsonPath(path);
      compiled.set(path, known);
      return known;
    };
    const routes = new Map<string, Route>();
    for (const tag of tags) {
      const route = routes.get(tag.topic) ?? { pattern: parseTopic(tag.topic), tagRules: [] };
      routes.set(tag.topic, route);
      route.tagRules.push({ tag, rule: ruleOf(tag, compile) });
    }
    this.#routes = [...routes.values()];
    this.subscriptions = subscriptionsOf(this.#routes.map((route) => route.pattern));
    const isWild = (route: Route): boolean => route.pattern.levels.some((level) => level === '+' || level === '#');
    this.#wild = this.#routes.filter((route) => isWild(route) || route.pattern.subscription.startsWith('$share/'));
    for (const [topic, route] of routes) if (!this.#wild.includes(route)) this.#exact.set(topic, route);
  }

  /** The tags that a message on this topic may carry, in the order of the configuration. */
  bind(topic: string): Binding[] {
    const levels = topic.split('/');
    const exact = this.#exact.get(topic);
    const routes = this.#wild.filter((route) => matches(route.pattern.levels, levels));
    if (exact) routes.unshift(exact);
    return routes.flatMap((route) => {
      const captured = capture(route.pattern, levels);
      return route.tagRules.map(({ tag, rule }) => ({
        options: tag,
        rule,
        tag: emitTag(tag, captured, this.#sourceId),
        topic,
        last: undefined,
        arrival: 0,
        series: undefined,
      }));
    });
  }

  /** The tags that can be told of before their first message: those that name themselves, and what their values are. */
  get named(): readonly EmitTag[] {
    return this.#routes.flatMap(({ pattern: { captures }, tagRules }) =>
      Object.keys(captures).length > 0
        ? []
        : tagRules.flatMap(({ tag }) => (tag.data_type === undefined ? [] : [emitTag(tag, {}, this.#sourceId)])),
    );
  }

  /** Whether the tag with these very options is among them. */
  has(tag: MqttTag): boolean {
    return this.#tags.has(tag);
  }

  /** The tag that readings of this name come from; the first, where several may. */
  tagOf({ assetId, tagName }: TagRef): MqttTag | undefined {
    for (const { pattern, tagRules } of this.#routes) {
      for (const { tag } of tagRules) {
        // a captured level takes any name that can stand between two slashes
        const asset = 'asset' in pattern.captures ? !assetId.includes('/') : (tag.asset_id ?? this.#sourceId) === assetId;
        const name = 'tag' in pattern.captures ? !tagName.includes('/') : tag.tag_name === tagName;
        if (asset && name) return tag;
      }
    }
    return undefined;
  }

  /** How many tags get nothing when the broker refuses this filter. */
  tagsUnder(subscription: string): number {
    const { levels } = parseTopic(subscription);
    return this.#routes.reduce((count, route) => count + (covers(levels, route.pattern.levels) ? route.tagRules.length : 0), 0);
  }
}

/** Tells whether readings of a name may come from one of these tags. */
export function speakersOf(tags: readonly MqttTag[], sourceId: string): (ref: TagRef) => boolean {
  const isNamed = ({ topic }: MqttTag) => Object.keys(parseTopic(topic).captures).every((name) => name === 'tenant');
  const named = new Set(
    tags.filter(isNamed).map(({ asset_id: assetId = sourceId, tag_name: tagName = '' }) => tagKey({ assetId, tagName })),
  );
  const captured = new Routes(
    tags.filter((tag) => !isNamed(tag)),
    sourceId,
  );
  return (ref) => named.has(tagKey(ref)) || captured.tagOf(ref) !== undefined;
}

function ruleOf(tag: MqttTag, compile: (path: string | undefined) => JsonPath | undefined): ReadingRule {
  return {
    path: compile(tag.json_path),
    timePath: compile(tag.timestamp_path),
    dataType: tag.data_type,
    scale: tag.scale,
    offset: tag.offset,
    min: tag.min,
    max: tag.max,
  };
}

const VALUE_TYPES = { number: 'f64', boolean: 'bool', string: 'string' } as const;

function emitTag(tag: MqttTag, captured: Captures, sourceId: string): EmitTag {
  return {
    asset: captured.asset ?? tag.asset_id ?? sourceId,
    tag: captured.tag ?? tag.tag_name ?? '',
    ...(tag.data_type !== undefined && { valueType: VALUE_TYPES[tag.data_type] }),
    ...(tag.unit !== undefined && { unit: tag.unit }),
    ...(tag.scale !== undefined && { scale: tag.scale }),
    ...(tag.offset !== undefined && { offset: tag.offset }),
    ...(tag.deadband !== undefined && { deadband: tag.deadband }),
    ...(captured.tenant !== undefined && { tenant: captured.tenant }),
  };
}
