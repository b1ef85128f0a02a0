/** Takes the messages of one connection: emits their readings, and acknowledges each message once its readings are on disk. */
import type { Clock } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import { asGatewayError, type GatewayError, isGatewayError } from '../../core/errors.ts';
import type { ThrottledLog } from '../../core/log.ts';
import type { Sequence } from '../../core/tag.ts';
import { type RawSample, type TagRef, tagKey } from '../driver.ts';
import { Payload, type ReadValue } from './payload.ts';
import type { Binding, Routes } from './routes.ts';

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker from earlier and sent because we subscribed: not news. */
  readonly retained: boolean;
  /** The broker waits for `acknowledge` of it; `undefined` for QoS 0. */
  readonly messageId: number | undefined;
}

/** The connection, as far as messages need it. */
export interface Outlet {
  acknowledge(messageId: number): void;
  /** Gives the connection up: the broker sends everything not acknowledged again over the next one. */
  drop(error: GatewayError): void;
}

interface Reading {
  readonly binding: Binding;
  readonly read: ReadValue;
}

/** What a topic meant when these were the routes. */
interface Lookup {
  readonly routes: Routes;
  readonly bindings: readonly Binding[];
}

/** Hears the readings of one tag. */
interface Watch {
  readonly asset: string;
  readonly tag: string;
  readonly hear: (read: ReadValue) => void;
  /** Messages that had arrived before the watch began, and are not emitted yet. */
  older: number;
}

/** Room is asked for this many readings at once: even with the longest texts (0.1 MB) a small ring can give it. */
const CHUNK_READINGS = 32;
/**
 * Messages that may wait for room before the socket is read no further. The broker's window is no bound to rely on:
 * mosquitto 2.0 sends its whole queue at once to a 3.1.1 client that comes back.
 */
const MAX_HELD_BYTES = 1 << 20;
/** How often a store that is overloaded is asked again whether it has kept what it was given. */
const OVERLOADED_MS = 100;
/** What a message takes beside its payload. */
const MESSAGE_BYTES = 512;
/** Tags times topics that are remembered: captured topics may be many and may change for ever. */
const MAX_BINDINGS = 100_000;

export interface InflowOptions {
  readonly routes: Routes;
  readonly outlet: Outlet;
  readonly clock: Clock;
  readonly log: ThrottledLog;
}

export class Inflow {
  #routes: Routes;
  readonly #outlet: Outlet;
  readonly #clock: Clock;
  readonly #log: ThrottledLog;
  readonly #stop = new AbortController();
  /** What each topic means, as looked up before; series are of this run's emit. */
  readonly #topics = new Map<string, Lookup>();
  #bindings = 0;
  #emit: Emit | undefined;
  readonly #held: Message[] = [];
  #heldBytes = 0;
  #resume: () => void = () => {};
  #draining = false;
  #ended = false;
  /** Emitted, not yet on disk; in the order of arrival. */
  #unacknowledged: number[] = [];
  #committing: Promise<void> | undefined;
  readonly #watches = new Set<Watch>();
  #arrivals = 0;
  /** By `tagKey`; made when somebody asks, and anew when a topic was met since. */
  #byTag: ReadonlyMap<string, readonly Binding[]> | undefined;

  constructor({ routes, outlet, clock, log }: InflowOptions) {
    this.#routes = routes;
    this.#outlet = outlet;
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins to emit; what has arrived before comes first. */
  start(emit: Emit): void {
    this.#emit = emit;
    announce(emit, this.#routes);
    void this.#drain(emit);
  }

  /** Looks topics up in these routes from now on; tags that are in both go on as they were. */
  reroute(routes: Routes): void {
    this.#routes = routes;
    this.#byTag = undefined;
    if (this.#emit) announce(this.#emit, routes);
  }

  /** `hear` is told of each reading of the tag whose message arrives from now on, as it is emitted. What it gives ends that. */
  watch({ assetId, tagName }: TagRef, hear: (read: ReadValue) => void): () => void {
    const watch: Watch = { asset: assetId, tag: tagName, hear, older: this.#held.length };
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
    };
  }

  /** What the newest message said of the tag. */
  raw(tag: TagRef): RawSample | undefined {
    this.#byTag ??= groupByTag(this.#topics.values(), this.#routes);
    const bindings = this.#byTag.get(tagKey(tag)) ?? [];
    const newest = bindings.reduce<Binding | undefined>((one, other) => (other.arrival > (one?.arrival ?? 0) ? other : one), undefined);
    return newest?.last && rawSampleOf(newest.topic, newest.last);
  }

  /** Emits no more, and lets what is being written be acknowledged until `deadline` resolves. */
  async finish(deadline: Promise<void>): Promise<void> {
    this.#end();
    await Promise.race([this.#committing, deadline]);
    this.#stop.abort();
  }

  /** Takes a message. What it returns, if anything, resolves when more may come. */
  take(message: Message): Promise<void> | undefined {
    if (this.#ended) return undefined;
    if (this.#emit && message.messageId === undefined) {
      const readings = this.#decode(this.#emit, message);
      declare(this.#emit, readings);
      this.#push(this.#emit, readings, false); // the broker won't keep it for us: without room the door counts it as dropped
      return undefined;
    }
    this.#held.push(message);
    this.#heldBytes += MESSAGE_BYTES + message.payload.length;
    if (!this.#emit) return undefined; // between connect and run more than messages must come through
    if (!this.#draining) void this.#drain(this.#emit);
    if (this.#heldBytes <= MAX_HELD_BYTES) return undefined;
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  /** Emits what is held, at once as long as there is room. Never rejects. */
  async #drain(emit: Emit): Promise<void> {
    this.#draining = true;
    try {
      next: for (let message = this.#held[0]; message && this.#emit; message = this.#held[0]) {
        const routes = this.#routes;
        const readings = this.#decode(emit, message);
        for (let at = 0; at < readings.length; at += CHUNK_READINGS) {
          const chunk = readings.slice(at, at + CHUNK_READINGS);
          declare(emit, chunk);
          const textBytes = textBytesOf(chunk);
          while (!emit.reserve(chunk.length, textBytes)) await emit.room(this.#stop.signal);
          if (!this.#emit) return;
          if (this.#routes !== routes) continue next; // the tags have changed while it waited: read it as they are now
          this.#push(emit, chunk, true);
        }
        this.#held.shift();
        if (this.#watches.size > 0) this.#count();
        this.#heldBytes -= MESSAGE_BYTES + message.payload.length;
        if (this.#heldBytes <= MAX_HELD_BYTES) this.#resume();
        // Also a message that nobody understands: unacknowledged it would come back for ever.
        if (message.messageId !== undefined) this.#unacknowledged.push(message.messageId);
        this.#committing ??= this.#commit(emit);
      }
    } catch (error) {
      this.#fail(asGatewayError(error, 'store_failed', 'a message could not be kept'));
    } finally {
      this.#draining = false;
    }
  }

  /**
   * Acknowledges what has been emitted, in the order it came [MQTT-4.6.0-2], once it is on disk; what arrives during a
   * commit joins the next. Never rejects.
   */
  async #commit(emit: Emit): Promise<void> {
    try {
      await Promise.resolve(); // all packets of one read from the socket become one batch
      while (this.#unacknowledged.length > 0) {
        const batch = this.#unacknowledged;
        this.#unacknowledged = [];
        await this.#durable(emit, emit.sequence());
        for (const messageId of batch) this.#outlet.acknowledge(messageId);
      }
    } catch (error) {
      this.#fail(asGatewayError(error, 'store_failed', 'messages could not be kept'));
    } finally {
      this.#committing = undefined;
    }
  }

  /**
   * Goes on waiting while the store takes nothing because more comes than it can put in order: that passes within seconds, the ring keeps
   * the readings meanwhile, and a link given up for it would be back later than that. Rejects as `Emit.durable` for anything else.
   */
  async #durable(emit: Emit, sequence: Sequence): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      try {
        return await emit.durable(sequence, signal);
      } catch (error) {
        if (!isGatewayError(error, 'overloaded')) throw error;
      }
      await this.#clock.sleep(OVERLOADED_MS, signal);
    }
  }

  #decode(emit: Emit, message: Message): readonly Reading[] {
    const readings: Reading[] = [];
    if (message.payload.length === 0) return readings; // deletes a retained message [MQTT-3.3.1-10], says nothing of a tag
    const payload = new Payload(message.payload);
    let malformed = false;
    for (const binding of this.#bindingsOf(message.topic)) {
      if (message.retained && !binding.rule.timePath) continue;
      const read = payload.read(binding.rule);
      if (read === 'malformed') malformed = true;
      else if (typeof read === 'string') emit.rejected(read);
      else if (read && !(message.retained && read.timeMs === undefined)) readings.push({ binding, read });
    }
    if (malformed) {
      emit.rejected('malformed');
      this.#log.warn('malformed', { topic: message.topic, bytes: message.payload.length }, 'a message is not what its tags expect');
    }
    return readings;
  }

  /** One of the messages that were held has been emitted. */
  #count(): void {
    for (const watch of this.#watches) if (watch.older > 0) watch.older--;
  }

  #push(emit: Emit, readings: readonly Reading[], held: boolean): void {
    push(emit, readings, ++this.#arrivals);
    if (this.#watches.size === 0) return;
    for (const { asset, tag, hear, older } of this.#watches) {
      if (held && older > 0) continue;
      for (const { binding, read } of readings) {
        const isOwn = binding.tag.tenant === undefined; // what a topic says of another tenant confirms nothing here
        if (isOwn && binding.tag.asset === asset && binding.tag.tag === tag) hear(read);
      }
    }
  }

  #bindingsOf(topic: string): readonly Binding[] {
    const known = this.#topics.get(topic);
    if (known?.routes === this.#routes) return known.bindings;
    const bindings = this.#routes
      .bind(topic)
      .map((binding) => known?.bindings.find(({ options }) => options === binding.options) ?? binding);
    this.#bindings += bindings.length - (known ? known.bindings.length : -1);
    if (this.#bindings > MAX_BINDINGS) {
      this.#topics.clear();
      this.#bindings = bindings.length + 1;
    }
    this.#topics.set(topic, { routes: this.#routes, bindings });
    this.#byTag = undefined;
    return bindings;
  }

  #fail(error: GatewayError): void {
    if (this.#stop.signal.aborted) return;
    this.#end();
    this.#stop.abort();
    this.#outlet.drop(error);
  }

  #end(): void {
    this.#ended = true;
    this.#emit = undefined;
    this.#resume();
  }
}

/** So that the twin shows a tag that has not spoken yet, as it does those of other protocols. */
function announce(emit: Emit, routes: Routes): void {
  for (const tag of routes.named) emit.series(tag);
}

/** Asks for the series of readings; before `reserve`, which counts what their definitions take. */
function declare(emit: Emit, readings: readonly Reading[]): void {
  for (const { binding } of readings) binding.series ??= emit.series(binding.tag);
}

function push(emit: Emit, readings: readonly Reading[], arrival: number): void {
  for (const { binding, read } of readings) {
    binding.last = read;
    binding.arrival = arrival;
    const { series } = binding;
    const { value, status, timeMs } = read;
    if (series === undefined) continue; // not allowed, and counted as such
    if (value === null) emit.missing(series, timeMs, status);
    else if (typeof value === 'number') emit.number(series, timeMs, value, status);
    else if (typeof value === 'boolean') emit.boolean(series, timeMs, value, status);
    else emit.text(series, timeMs, value, status);
  }
}

function textBytesOf(readings: readonly Reading[]): number {
  let bytes = 0;
  for (const { read } of readings) if (typeof read.value === 'string') bytes += Buffer.byteLength(read.value);
  return bytes;
}

function groupByTag(topics: Iterable<Lookup>, routes: Routes): ReadonlyMap<string, readonly Binding[]> {
  const byTag = new Map<string, Binding[]>();
  for (const { bindings } of topics) {
    for (const binding of bindings) {
      if (!routes.has(binding.options)) continue;
      const key = tagKey({ assetId: binding.tag.asset, tagName: binding.tag.tag });
      const known = byTag.get(key);
      if (known) known.push(binding);
      else byTag.set(key, [binding]);
    }
  }
  return byTag;
}

function rawSampleOf(topic: string, { raw, timeMs }: ReadValue): RawSample {
  const payload = raw === undefined ? {} : { payload: JSON.stringify(raw) };
  return { words: { topic, ...payload }, readMs: null, sourceMs: timeMs ?? null, serverMs: null };
}
