/**
 * One subscription with its monitored items: creates them, or takes them over from a session that broke, and turns
 * publish responses into readings. It speaks the services itself instead of using the library's ClientSubscription,
 * which makes objects and events for each value, repairs behind our back and drops what a full ring cannot take.
 * (OPC UA Part 4 §5.13, §5.14)
 */
import {
  AttributeIds,
  DataChangeNotification,
  MonitoringMode,
  type NodeId,
  type NotificationMessage,
  PublishRequest,
  type PublishResponse,
  RepublishRequest,
  type RepublishResponse,
  StatusChangeNotification,
  TimestampsToReturn,
  type TransferSubscriptionsResponse,
} from 'node-opcua-client';
import type { Emit } from '../../core/emit.ts';
import { GatewayError } from '../../core/errors.ts';
import { BAD_NODE_ID_UNKNOWN, type StatusCode } from '../../core/status.ts';
import { inBatches } from './batches.ts';
import { hasStatus } from './faults.ts';
import type { Link, Session } from './link.ts';
import { resolveNodeId } from './node-ids.ts';
import type { OpcuaConfig, OpcuaTag } from './options.ts';
import type { TagState } from './tag-state.ts';
import { textBytes } from './values.ts';

/** Publish requests kept at the server: one being answered, one waiting, one on its way. */
const PIPELINE = 3;
/** A quiet server says that it is alive this often. */
const KEEP_ALIVE_MS = 5_000;
/** How long the server keeps the subscription, and what it queues, when we are gone. */
const LIFETIME_MS = 60_000;
/** What the server's queues must bridge: our back-off (5 s at most) and a connect. */
const QUEUE_MS = 10_000;
/** For `sampling_interval_ms: 0`, where the rate is the server's secret. */
const FASTEST_SAMPLING_MS = 100;
/** Values that pass the ring's gate at once; with texts of the longest kind they fill a quarter of it. */
export const SLICE = 256;
/** The longest wait that a timer can hold. */
const MAX_TIMER_MS = 0x7fff_ffff;

/** Messages fetched again after a break; a server keeps far fewer. */
const MAX_REPUBLISH = 10_000;

type Gone = 'no message' | 'no subscription';

/** For the watchdog and the report. */
export interface PublishEvents {
  /** A response has come and waits for room in the ring: silence from now on is ours. */
  busy(): void;
  /** It has been taken: silence from now on is the server's. */
  heard(): void;
  /** A tag began or ceased to fail. */
  changed(): void;
}

/** What a tag is called at the server; no `itemId` while it has no item there. */
interface Place {
  readonly handle: number;
  itemId: number | undefined;
}

type Items = readonly { readonly clientHandle: number; readonly value: Parameters<TagState['emit']>[1] }[];

export class Subscription {
  readonly #config: OpcuaConfig['subscription'];
  /** Handles start at a random number, so that a notification which is not ours can never pass for a value of ours. */
  readonly #firstHandle: number;
  /** None is given twice: what still comes for a tag that has gone must not pass for another's. */
  #nextHandle: number;
  readonly #byHandle = new Map<number, TagState>();
  readonly #places = new Map<TagState, Place>();
  #id: number | undefined;
  #lastSequence = 0;
  #acknowledge: { subscriptionId: number; sequenceNumber: number }[] = [];
  /** Tags that have no item at the server. */
  readonly #missing = new Set<TagState>();
  /** Settles when the last change of items so far is over. */
  #changes: Promise<unknown> = Promise.resolve();

  /** Milliseconds between two signs of life of a quiet subscription, as the server has it. */
  keepAliveMs = KEEP_ALIVE_MS;

  constructor(config: OpcuaConfig['subscription'], tags: readonly TagState[], random: () => number) {
    this.#config = config;
    this.#firstHandle = Math.floor(random() * 0x4000_0000);
    this.#nextHandle = this.#firstHandle;
    for (const state of tags) this.#add(state);
  }

  /** True when the tag has an item at the server. */
  watches(state: TagState): boolean {
    return !this.#missing.has(state);
  }

  /** How many tags have no item: the server does not have their node, or not yet. */
  get missingCount(): number {
    return this.#missing.size;
  }

  /** Creates subscription and items in this session. Items that the server refuses give a bad sample each. */
  async create(link: Link, emit: Emit): Promise<void> {
    const { publishing_interval_ms: intervalMs, max_notifications_per_publish } = this.#config;
    const keepAliveCount = this.#config.max_keep_alive_count ?? Math.max(1, Math.round(KEEP_ALIVE_MS / intervalMs));
    const lifetimeCount = this.#config.lifetime_count ?? Math.max(3 * keepAliveCount, Math.ceil(LIFETIME_MS / intervalMs));
    const created = await link.session.createSubscription({
      requestedPublishingInterval: intervalMs,
      requestedMaxKeepAliveCount: keepAliveCount,
      requestedLifetimeCount: Math.max(lifetimeCount, 3 * keepAliveCount),
      maxNotificationsPerPublish: max_notifications_per_publish,
      publishingEnabled: true,
      priority: 0,
    });
    this.#id = created.subscriptionId;
    this.#changes = Promise.resolve(); // what an earlier link still waits for holds up nobody
    this.#lastSequence = 0;
    this.#acknowledge = [];
    this.keepAliveMs = created.revisedPublishingInterval * created.revisedMaxKeepAliveCount;
    for (const [state, place] of this.#places) {
      place.itemId = undefined;
      this.#missing.add(state);
      state.failure = undefined; // told anew
    }
    await this.createMissing(link, link.server.namespaces, emit);
  }

  /** From now on these tags are watched: the items of those that are gone are deleted, and those of new ones created. */
  async replace(tags: readonly TagState[], link: Link, emit: Emit): Promise<void> {
    const wanted = new Set(tags);
    const gone = [...this.#places].flatMap(([state, place]) => (wanted.has(state) ? [] : [{ state, place }]));
    for (const { state, place } of gone) {
      this.#places.delete(state);
      this.#byHandle.delete(place.handle);
      this.#missing.delete(state);
    }
    for (const state of wanted) {
      if (this.#places.has(state)) continue;
      this.#add(state);
      this.#missing.add(state);
    }
    await this.#inTurn(async () => {
      const monitoredItemIds = gone.flatMap(({ place }) => place.itemId ?? []); // an item that was just being made has it by now
      await inBatches(monitoredItemIds, link.server.itemsPerCall, async (batch) => {
        await link.session.deleteMonitoredItems({ subscriptionId: this.#id ?? 0, monitoredItemIds: [...batch] });
      });
    });
    await this.createMissing(link, link.server.namespaces, emit);
  }

  /** Creates the items that are not there yet. True when something changed for a tag. */
  createMissing(link: Link, namespaces: readonly string[], emit: Emit): Promise<boolean> {
    return this.#inTurn(() => this.#createMissing(link, namespaces, emit));
  }

  async #createMissing(link: Link, namespaces: readonly string[], emit: Emit): Promise<boolean> {
    let changed = false;
    const refuse = (state: TagState, status: StatusCode, why: string) => {
      if (this.#places.has(state) && state.failure !== why) changed = state.fail(emit, status, why) || changed;
    };
    const wanted = [...this.#missing].flatMap((state) => {
      const place = this.#places.get(state);
      if (!place) return [];
      const nodeId = resolveNodeId(state.tag.node_id, namespaces);
      if (nodeId) return [{ place, state, request: itemRequest(state.tag, nodeId, place.handle, this.#config.publishing_interval_ms) }];
      refuse(state, BAD_NODE_ID_UNKNOWN, 'names a namespace that the server does not have');
      return [];
    });
    await inBatches(wanted, link.server.itemsPerCall, async (batch) => {
      const response = await link.session.createMonitoredItems({
        subscriptionId: this.#id ?? 0,
        timestampsToReturn: TimestampsToReturn.Both,
        itemsToCreate: batch.map((it) => it.request),
      });
      for (const [at, { place, state }] of batch.entries()) {
        const result = response.results?.[at];
        const status = result?.statusCode;
        if (!status) throw new GatewayError('protocol', 'the server answered for fewer items than it was asked to create');
        if (status.isBad()) refuse(state, (status.value >>> 0) as StatusCode, status.name);
        else {
          place.itemId = result?.monitoredItemId;
          this.#missing.delete(state);
        }
      }
    });
    return changed;
  }

  /**
   * Goes on with the subscription of a link that broke, and fetches what was sent and never arrived. It is still in a
   * resumed session; a new session has it transferred. False when the server has forgotten it or won't give it; then
   * `create` is next. (OPC UA Part 4 §5.14.6, §5.14.7)
   */
  async takeOver(link: Link, emit: Emit, signal: AbortSignal): Promise<boolean> {
    const id = this.#id;
    this.#changes = Promise.resolve();
    if (id === undefined || !(link.resumed || (await transfer(link.session, id)))) return false;
    for (let count = 0; count < MAX_REPUBLISH; count++) {
      // numbers wrap from 2^32 − 1 to 1 (OPC UA Part 4 §7.40)
      const message = await republish(link.session, id, this.#lastSequence === 0xffff_ffff ? 1 : this.#lastSequence + 1);
      if (message === 'no subscription') return false;
      if (message === 'no message') break;
      await this.#take(message, emit, signal);
    }
    await this.createMissing(link, link.server.namespaces, emit);
    return true;
  }

  /**
   * Keeps the server supplied with publish requests and emits what they bring, in order, until the signal aborts.
   * Rejects when the server has no such subscription any more or the link is lost. A full ring stops the requests,
   * so that values wait in the server's queues.
   */
  async publish(link: Link, emit: Emit, signal: AbortSignal, on: PublishEvents): Promise<void> {
    const waiting: Promise<PublishResponse | undefined>[] = [];
    let width = PIPELINE;
    while (!signal.aborted) {
      while (waiting.length < width) waiting.push(this.#request(link.session));
      const response = await waiting.shift()?.catch((error: unknown) => {
        if (!hasStatus(error, 'BadTooManyPublishRequests') || width === 1) throw error;
        width--; // a small server keeps fewer than we would like
        return undefined;
      });
      if (signal.aborted || !response || response.subscriptionId !== this.#id) continue;
      on.busy();
      if (await this.#take(response.notificationMessage, emit, signal)) on.changed();
      on.heard();
    }
  }

  /** `undefined` when the server says that the request grew old unanswered. */
  #request(session: Session): Promise<PublishResponse | undefined> {
    const request = new PublishRequest({
      requestHeader: { timeoutHint: Math.min(MAX_TIMER_MS, (PIPELINE + 1) * this.keepAliveMs + QUEUE_MS) },
      subscriptionAcknowledgements: this.#acknowledge,
    });
    this.#acknowledge = [];
    const answer = answerOf<PublishResponse>((done) => session.publish(request, done)).catch((error: unknown) => {
      if (hasStatus(error, 'BadTimeout')) return undefined;
      throw error;
    });
    answer.catch(() => undefined); // waited for later, or never when an earlier one fails
    return answer;
  }

  /** Emits one message. True when a tag began or ceased to fail. */
  async #take(message: NotificationMessage, emit: Emit, signal: AbortSignal): Promise<boolean> {
    const parts = message.notificationData ?? [];
    if (parts.length === 0) return false; // a keep-alive; its number is the next message's
    let changed = false;
    for (const part of parts) {
      if (part instanceof StatusChangeNotification) {
        if (part.status.isBad()) throw new GatewayError('not_connected', `the server ended the subscription: ${part.status.name}`);
      } else if (part instanceof DataChangeNotification) {
        const items = (part.monitoredItems ?? []) as Items;
        for (let from = 0; from < items.length; from += SLICE) {
          const to = Math.min(from + SLICE, items.length);
          while (!emit.reserve(to - from, bytesOf(items, from, to))) await emit.room(signal);
          for (let at = from; at < to; at++) changed = this.#emitItem(items[at], emit) || changed;
        }
      }
    }
    this.#lastSequence = message.sequenceNumber; // only now: what is cut off half-way is fetched again
    this.#acknowledge.push({ subscriptionId: this.#id ?? 0, sequenceNumber: message.sequenceNumber });
    return changed;
  }

  #emitItem(item: Items[number] | undefined, emit: Emit): boolean {
    if (!item) return false;
    const { clientHandle } = item;
    const state = this.#byHandle.get(clientHandle);
    if (!state) {
      const wasOurs = clientHandle >= this.#firstHandle && clientHandle < this.#nextHandle;
      if (!wasOurs) emit.rejected('invalid_tag');
      return false;
    }
    const changed = state.emit(emit, item.value);
    // deleted while we watched: servers say Unknown or Invalid; the item is dead even when the node comes back
    if (changed && state.failure?.startsWith('BadNodeId')) this.#missing.add(state);
    return changed;
  }

  #add(state: TagState): void {
    const handle = this.#nextHandle++;
    this.#places.set(state, { handle, itemId: undefined });
    this.#byHandle.set(handle, state);
  }

  /** One change of items after the other: two at once would create an item twice. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const mine = this.#changes.then(change);
    this.#changes = mine.catch(() => undefined); // the caller has the error
    return mine;
  }
}

function itemRequest(tag: OpcuaTag, nodeId: NodeId, clientHandle: number, publishingMs: number) {
  const samplingInterval = tag.sampling_interval_ms ?? tag.polling_interval_ms ?? publishingMs;
  const bridged = Math.ceil(Math.max(QUEUE_MS, publishingMs) / (samplingInterval || FASTEST_SAMPLING_MS));
  return {
    itemToMonitor: { nodeId, attributeId: AttributeIds.Value },
    monitoringMode: MonitoringMode.Reporting,
    requestedParameters: { clientHandle, samplingInterval, discardOldest: true, queueSize: tag.queue_size ?? Math.max(2, bridged) },
  };
}

function bytesOf(items: Items, from: number, to: number): number {
  let bytes = 0;
  for (let at = from; at < to; at++) {
    const item = items[at];
    if (item) bytes += textBytes(item.value);
  }
  return bytes;
}

/** True when the server has moved the subscription into this session, and will send the current values as well. */
async function transfer(session: Session, subscriptionId: number): Promise<boolean> {
  const request = { subscriptionIds: [subscriptionId], sendInitialValues: true };
  const moved = await answerOf<TransferSubscriptionsResponse>((done) => session.transferSubscriptions(request, done));
  return moved.results?.[0]?.statusCode.isGood() ?? false;
}

async function republish(session: Session, subscriptionId: number, sequenceNumber: number): Promise<NotificationMessage | Gone> {
  const request = new RepublishRequest({ subscriptionId, retransmitSequenceNumber: sequenceNumber });
  try {
    return (await answerOf<RepublishResponse>((done) => session.republish(request, done))).notificationMessage;
  } catch (error) {
    if (hasStatus(error, 'BadMessageNotAvailable')) return 'no message';
    if (hasStatus(error, 'BadSubscriptionIdInvalid') || hasStatus(error, 'BadNoSubscription')) return 'no subscription';
    throw error;
  }
}

/** For the services that the library offers with a callback only. */
function answerOf<T>(ask: (done: (error: Error | null, response?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    ask((error, response) => {
      if (response && !error) resolve(response);
      else reject(error ?? new GatewayError('protocol', 'an empty response'));
    });
  });
}
