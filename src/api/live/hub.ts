/** The live stream's house: who listens, when they are written to, the tokens they came with, and their end. */

import type { Alert } from '../../alerts/alert.ts';
import { messageOf } from '../../core/errors.ts';
import { type Log, ThrottledLog } from '../../core/log.ts';
import { toIso } from '../../core/time.ts';
import type { SourceView } from '../../ingest/source-state.ts';
import type { StoredToken } from '../../store/records.ts';
import { renderAlert } from '../alert-view.ts';
import { hasScope, isValid } from '../auth.ts';
import { ApiError } from '../problem.ts';
import type { ApiServices, StreamsState } from '../services.ts';
import { isConnected } from '../source-view.ts';
import { LiveBook } from './book.ts';
import type { LiveFilter } from './channel.ts';
import { type LiveEvent, liveEvent } from './event.ts';
import { Feed } from './feed.ts';
import { Subscriber } from './subscriber.ts';

/** A reading waits so long for the others of its poll. */
const GATHER_MS = 1;
/** Between two events of telemetry: a millisecond for each stream, so that one panel moves at once and a hundred leave the box its time. */
const MIN_SPACING_MS = 5;
const MAX_SPACING_MS = 100;
const HOUSEKEEPING_MS = 100;
const SOURCES_MS = 500;
/** A revoked token's streams end after this at the latest, while the store answers. */
const TOKENS_MS = 5_000;

export interface LiveLimits {
  /** Of the server's 256 connections half stay free for calls. */
  readonly streams: number;
  readonly streamsPerToken: number;
  /** Some seconds of a large plant; with all streams taken it is 32 MB in the worst case, when no two of them want the same. */
  readonly queueBytes: number;
  /** Routers forget a silent connection after 30 s and more. */
  readonly heartbeatMs: number;
}

const LIMITS: LiveLimits = { streams: 128, streamsPerToken: 32, queueBytes: 262_144, heartbeatMs: 15_000 };

export type LiveServices = Pick<ApiServices, 'clock' | 'log' | 'records' | 'series' | 'sources' | 'hear' | 'hearAlerts'>;

export class LiveHub {
  readonly #services: LiveServices;
  readonly #limits: LiveLimits;
  readonly #log: Log;
  readonly #throttled: ThrottledLog;
  readonly #feed: Feed;
  /** With what each wants. */
  readonly #subscribers = new Map<Subscriber, LiveFilter>();
  readonly #book = new LiveBook();
  /** By tenant, by source: what was told last. */
  readonly #told = new Map<string, Map<string, SourceView>>();
  #isFlushDue = false;
  #flushedMs = Number.NEGATIVE_INFINITY;
  #ticking = false;
  #closed = false;
  #checking = false;

  constructor(services: LiveServices, limits: Partial<LiveLimits> = {}) {
    this.#services = services;
    this.#limits = { ...LIMITS, ...limits };
    this.#log = services.log;
    this.#throttled = new ThrottledLog(services.log, services.clock);
    this.#feed = new Feed(
      (series) => services.series.definition(series),
      () => {
        if (!this.#isFlushDue) void this.#flushSoon();
      },
    );
  }

  /** How many streams are open, the bytes that wait for their clients, and what was sent and lost since the start. */
  get state(): StreamsState {
    let queuedBytes = 0;
    for (const subscriber of this.#subscribers.keys()) queuedBytes += subscriber.queuedBytes;
    const { sent, lost } = this.#book;
    return { streams: this.#subscribers.size, queuedBytes, sent, lost };
  }

  /** Throws `stopped`, `rate_limited` when the token has its share of streams, and `overloaded` when all are taken. */
  open(token: StoredToken, filter: LiveFilter): ReadableStream<Uint8Array> {
    this.#admit(token);
    const { clock } = this.#services;
    const subscriber = new Subscriber({
      token,
      maxQueueBytes: this.#limits.queueBytes,
      heartbeatMs: this.#limits.heartbeatMs,
      monotonicMs: () => clock.monotonicMs(),
      book: this.#book,
      onEnd: () => {
        this.#feed.leave(filter, subscriber);
        this.#subscribers.delete(subscriber);
        if (this.#subscribers.size === 0) this.#hear(false);
      },
    });
    if (this.#subscribers.size === 0) this.#hear(true);
    this.#subscribers.set(subscriber, filter);
    this.#feed.join(filter, subscriber);
    if (hasScope(token, 'read:assets')) this.#tellSources(subscriber);
    if (!this.#ticking) void this.#tick();
    return subscriber.stream;
  }

  /** Ends every stream at once and lets none begin. */
  close(): void {
    this.#closed = true;
    for (const subscriber of this.#subscribers.keys()) subscriber.end();
  }

  #hear(isListening: boolean): void {
    this.#services.hear(isListening ? this.#feed : undefined);
    this.#services.hearAlerts(isListening ? (alert) => this.#tellAlert(alert) : undefined);
  }

  #tellAlert(alert: Alert): void {
    const event = liveEvent('alert', JSON.stringify({ data: renderAlert(alert) }));
    for (const [subscriber, { tenant, assets, tags }] of this.#subscribers) {
      if (tenant !== alert.tenant || !hasScope(subscriber.token, 'read:alerts')) continue;
      if ((assets?.includes(alert.assetId) ?? true) && (tags?.includes(alert.tagName) ?? true)) subscriber.offer(event);
    }
  }

  #admit(token: StoredToken): void {
    if (this.#closed) throw new ApiError('stopped', 'The box is stopping.');
    const { streams, streamsPerToken } = this.#limits;
    const own = [...this.#subscribers.keys()].filter((subscriber) => subscriber.token.id === token.id).length;
    if (own >= streamsPerToken) {
      throw new ApiError('rate_limited', `This token has ${streamsPerToken} streams open, which is its share.`, { retryAfterS: 5 });
    }
    if (this.#subscribers.size >= streams) throw new ApiError('overloaded', `All ${streams} streams are taken.`, { retryAfterS: 5 });
  }

  async #flushSoon(): Promise<void> {
    const { clock } = this.#services;
    this.#isFlushDue = true;
    const spacingMs = Math.min(Math.max(this.#subscribers.size, MIN_SPACING_MS), MAX_SPACING_MS);
    await clock.sleep(Math.max(this.#flushedMs + spacingMs - clock.monotonicMs(), GATHER_MS));
    this.#flushedMs = clock.monotonicMs();
    this.#isFlushDue = false;
    this.#orEnd(() => this.#feed.flush());
  }

  /** As long as somebody listens. */
  async #tick(): Promise<void> {
    const { clock } = this.#services;
    this.#ticking = true;
    let sourcesMs = clock.monotonicMs();
    let tokensMs = sourcesMs;
    while (this.#subscribers.size > 0) {
      await clock.sleep(HOUSEKEEPING_MS);
      const nowMs = clock.monotonicMs();
      this.#orEnd(() => {
        if (nowMs - sourcesMs >= SOURCES_MS) {
          sourcesMs = nowMs;
          this.#followSources();
        }
        if (nowMs - tokensMs >= TOKENS_MS && !this.#checking) {
          tokensMs = nowMs;
          void this.#checkTokens();
        }
        for (const subscriber of this.#subscribers.keys()) subscriber.beat();
      });
    }
    this.#told.clear();
    this.#ticking = false;
  }

  #orEnd(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#log.error({ err: error }, 'the live stream failed in a way that nobody foresaw');
      for (const subscriber of this.#subscribers.keys()) subscriber.end();
    }
  }

  /** The state of each source, before what changes from now on. */
  #tellSources(subscriber: Subscriber): void {
    const { tenant } = subscriber.token;
    const sources = this.#services.sources.list(tenant);
    if (!this.#told.has(tenant)) this.#told.set(tenant, new Map(sources.map((source) => [source.id, source])));
    for (const source of sources) this.#tell(source, [subscriber]);
  }

  #followSources(): void {
    const entitled = [...this.#subscribers.keys()].filter(({ token }) => hasScope(token, 'read:assets'));
    const listeners = groupedBy(entitled, ({ token }) => token.tenant);
    for (const [tenant, subscribers] of listeners) {
      const told = this.#told.get(tenant) ?? new Map<string, SourceView>();
      const present = new Map(this.#services.sources.list(tenant).map((source) => [source.id, source]));
      this.#told.set(tenant, present);
      for (const source of present.values()) {
        const before = told.get(source.id);
        if (!before || stateOf(before) !== stateOf(source)) this.#tell(source, subscribers);
      }
      for (const source of told.values()) if (!present.has(source.id)) this.#tell({ ...source, state: REMOVED, reason: null }, subscribers);
    }
    for (const tenant of this.#told.keys()) if (!listeners.has(tenant)) this.#told.delete(tenant);
  }

  #tell(source: ToldSource, subscribers: readonly Subscriber[]): void {
    const event = this.#sourceEvent(source);
    for (const subscriber of subscribers) subscriber.offerState(source.id, event);
  }

  #sourceEvent(source: ToldSource): LiveEvent {
    const { id, name, type, state, reason } = source;
    const status = isConnected(source) ? 'connected' : 'disconnected';
    return liveEvent(
      'source',
      JSON.stringify({ data: { id, name, type, status, state, reason, time: toIso(this.#services.clock.now()) } }),
    );
  }

  /** A store that is silent ends no stream: the live view is what remains while a disk hangs. */
  async #checkTokens(): Promise<void> {
    const { records, clock } = this.#services;
    this.#checking = true;
    const byHash = groupedBy(this.#subscribers.keys(), ({ token }) => token.sha256);
    await Promise.all(
      [...byHash].map(async ([sha256, subscribers]) => {
        try {
          const token = await records.tokenByHash(sha256);
          if (token && isValid(token, clock.now()) && hasScope(token, 'read:telemetry')) return;
          for (const subscriber of subscribers) subscriber.end();
        } catch (error) {
          this.#throttled.warn('tokens', { reason: messageOf(error) }, 'the tokens of live streams cannot be looked at');
        }
      }),
    );
    this.#checking = false;
  }
}

/** The last that is told of a source. */
const REMOVED = 'removed';

interface ToldSource extends Pick<SourceView, 'id' | 'name' | 'type' | 'reason'> {
  readonly state: SourceView['state'] | typeof REMOVED;
}

function stateOf({ state, reason }: SourceView): string {
  return `${state} ${reason}`;
}

function groupedBy<Key, Value>(values: Iterable<Value>, keyOf: (value: Value) => Key): ReadonlyMap<Key, readonly Value[]> {
  const groups = new Map<Key, Value[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group) group.push(value);
    else groups.set(keyOf(value), [value]);
  }
  return groups;
}
