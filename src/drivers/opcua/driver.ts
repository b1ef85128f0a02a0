/** The OPC UA driver: a subscription kept alive on one link, watched so that a silent server is noticed, and reads on demand. */
import { AttributeIds, DataValue, VariableIds } from 'node-opcua-client';
import { aborted } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import { GatewayError } from '../../core/errors.ts';
import { retryDelaysMs } from '../../core/retry.ts';
import { BAD_NODE_ID_UNKNOWN } from '../../core/status.ts';
import type { Scalar } from '../../core/tag.ts';
import { checkWritable } from '../command.ts';
import {
  type Driver,
  type DriverContext,
  type DriverSpec,
  type Leave,
  type PeerFacts,
  type RawSample,
  type Readback,
  type Reading,
  type TagRef,
  tagKey,
} from '../driver.ts';
import { keptTags } from '../tag-change.ts';
import { inBatches } from './batches.ts';
import { linkFault } from './faults.ts';
import { readServerFacts } from './identify.ts';
import { type Link, openLink, type Session } from './link.ts';
import { resolveNodeId } from './node-ids.ts';
import type { OpcuaConfig, OpcuaTag } from './options.ts';
import { redirectLibraryLog } from './quiet.ts';
import { SLICE, Subscription } from './subscription.ts';
import { reportOf, TagState } from './tag-state.ts';
import { missingStatus, scalarOf, statusOf, textBytes, timeOf } from './values.ts';
import { watch } from './watch.ts';
import { within } from './within.ts';
import { Writer } from './writer.ts';

const READ_TIMEOUT_MS = 10_000;
/** Nodes that a server does not have come with the next download of a PLC program, minutes or days later. */
const MISSING_FIRST_MS = 10_000;
const MISSING_MAX_MS = 600_000;

export function createDriver(spec: DriverSpec<OpcuaConfig, OpcuaTag>, context: DriverContext): Driver {
  redirectLibraryLog(context.log);
  return new OpcuaDriver(spec, context);
}

class OpcuaDriver implements Driver {
  readonly #spec: DriverSpec<OpcuaConfig, OpcuaTag>;
  readonly #context: DriverContext;
  #tags: readonly TagState[];
  readonly #subscription: Subscription;
  /** By `tagKey`. */
  #byKey: ReadonlyMap<string, TagState>;
  #link: Link | undefined;
  /** Of the same link. */
  #writer: Writer | undefined;
  /** The emit of `run` while it goes on. */
  #emit: Emit | undefined;
  /** True from when all tags of the link are watched until the run is over. */
  #isWatching = false;
  /** The session of a link that broke, for the next link to resume. */
  #orphan: Session | undefined;
  /** Start of the server whose subscription we may take over; a restarted one may have given its number to others. */
  #subscribedAt: number | undefined;

  constructor(spec: DriverSpec<OpcuaConfig, OpcuaTag>, context: DriverContext) {
    this.#spec = spec;
    this.#context = context;
    this.#tags = spec.tags.map((tag) => new TagState(tag, spec.sourceId));
    this.#byKey = new Map(this.#tags.map((state) => [tagKey(state), state]));
    this.#subscription = new Subscription(spec.config.subscription, this.#tags, Math.random);
  }

  async connect(signal: AbortSignal): Promise<void> {
    await this.close();
    this.#link = await openLink(this.#spec.config, this.#context, signal, this.#orphan);
    this.#orphan = undefined;
    this.#writer = new Writer({ link: this.#link, clock: this.#context.clock, endpoint: this.#spec.config.endpoint });
  }

  async run(emit: Emit, signal: AbortSignal): Promise<void> {
    const link = this.#connected();
    for (const tag of this.#tags) tag.begin();
    this.#emit = emit;
    const ending = new AbortController(); // aborts with the signal and when the run is over, whatever ended it
    const end = () => ending.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      const lost = await Promise.race([aborted(ending.signal), link.lost, this.#serve(link, emit, ending.signal)]);
      if (lost) throw lost;
      this.#subscribedAt = undefined; // ended by us: close takes the subscription along
    } catch (error) {
      if (signal.aborted) return;
      this.#orphan = link.session;
      throw linkFault(error, this.#spec.config.endpoint);
    } finally {
      this.#emit = undefined;
      this.#isWatching = false;
      signal.removeEventListener('abort', end);
      end();
    }
  }

  /** Rejects `not_connected` too while the link is still being set up. */
  async retag(given: readonly unknown[], leave: Leave, signal: AbortSignal): Promise<void> {
    const link = this.#connected();
    const emit = this.#emit;
    if (!emit || !this.#isWatching) throw new GatewayError('not_connected', `${this.#spec.config.endpoint}: still being set up`);
    const known = new Map(this.#tags.map((state) => [state.tag, state]));
    const states = keptTags([...known.keys()], given as readonly OpcuaTag[]).map(
      (tag) => known.get(tag) ?? new TagState(tag, this.#spec.sourceId),
    );
    const begun = states.filter(({ tag }) => !known.has(tag));
    const staying = new Set(states.filter(({ tag }) => known.has(tag)).map(tagKey));
    leave((ref) => staying.has(tagKey(ref)));
    this.#tags = states;
    this.#byKey = new Map(states.map((state) => [tagKey(state), state]));
    await this.#subscription.replace(states, link, emit);
    await this.#refresh(begun, link, emit, signal);
    this.#context.report(reportOf(this.#tags));
  }

  async readNow(tags: readonly TagRef[], signal: AbortSignal): Promise<readonly Reading[]> {
    const link = this.#connected();
    const states = tags.map((tag) => this.#byKey.get(tagKey(tag)));
    const wanted = [...new Set(states.flatMap((state) => (state ? [state.tag] : [])))];
    const values = await this.#read(link, wanted, signal);
    return states.map((state, index) => {
      const value = state && values.get(state.tag);
      if (value) return this.#take(state, value);
      const { assetId = '', tagName = '' } = tags[index] ?? {};
      return { assetId, tagName, value: null, status: BAD_NODE_ID_UNKNOWN, timeMs: undefined };
    });
  }

  async write(tag: TagRef, value: Scalar, signal: AbortSignal): Promise<Readback> {
    this.#connected();
    const state = this.#byKey.get(tagKey(tag));
    if (!state || !this.#writer) {
      throw new GatewayError('unknown_tag', `source "${this.#spec.sourceId}" has no tag "${tag.tagName}" of "${tag.assetId}"`);
    }
    checkWritable(tag.tagName, state.tag);
    const written = await this.#writer.write(state.tag, value, signal);
    return { reading: this.#take(state, written.value), confirmed: written.confirmed };
  }

  identify(signal: AbortSignal): Promise<PeerFacts> {
    const { session } = this.#connected();
    const bounds = { clock: this.#context.clock, timeoutMs: READ_TIMEOUT_MS, signal, what: `${this.#spec.config.endpoint}: reading` };
    return within(readServerFacts(session, this.#spec.config), bounds);
  }

  raw(tag: TagRef): RawSample | undefined {
    return this.#byKey.get(tagKey(tag))?.raw();
  }

  async close(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    this.#writer = undefined;
    await (link && link.session === this.#orphan ? link.abandon() : link?.close());
  }

  /** Everything that goes on while the link stands; rejects with the first part that fails. */
  async #serve(link: Link, emit: Emit, signal: AbortSignal): Promise<void> {
    const subscription = this.#subscription;
    const report = () => this.#context.report(reportOf(this.#tags));
    const sameServer = link.resumed || (link.server.startedMs !== undefined && link.server.startedMs === this.#subscribedAt);
    if (!(sameServer && (await subscription.takeOver(link, emit, signal)))) await subscription.create(link, emit);
    this.#subscribedAt = link.server.startedMs;
    await this.#refresh(this.#tags, link, emit, signal);
    this.#isWatching = true;
    report();
    const { clock } = this.#context;
    let heardMs: number | undefined = clock.monotonicMs();
    const events = {
      busy: () => {
        heardMs = undefined;
      },
      heard: () => {
        heardMs = clock.monotonicMs();
      },
      changed: report,
    };
    await Promise.all([
      subscription.publish(link, emit, signal, events),
      watch({ ask: () => readState(link), clock, heardMs: () => heardMs, keepAliveMs: subscription.keepAliveMs }, signal),
      this.#retryMissing(link, emit, signal, report),
    ]);
  }

  /** Says what the server has now, before what changes from now on. */
  async #refresh(tags: readonly TagState[], link: Link, emit: Emit, signal: AbortSignal): Promise<void> {
    const watched = tags.filter((state) => this.#subscription.watches(state));
    const values = await this.#read(
      link,
      watched.map((state) => state.tag),
      signal,
    );
    for (let from = 0; from < watched.length; from += SLICE) {
      const slice = watched.slice(from, from + SLICE).flatMap((state) => {
        const value = values.get(state.tag);
        return value ? [{ state, value }] : [];
      });
      const bytes = slice.reduce((sum, { value }) => sum + textBytes(value), 0);
      while (!emit.reserve(2 * slice.length, 2 * bytes)) await emit.room(signal);
      for (const { state, value } of slice) state.refresh(emit, value, this.#context.clock.now());
    }
  }

  /** Current values past the server's cache; a tag whose namespace the server does not have is left out. */
  async #read(link: Link, tags: readonly OpcuaTag[], signal: AbortSignal): Promise<ReadonlyMap<OpcuaTag, DataValue>> {
    const values = new Map<OpcuaTag, DataValue>();
    const found = tags.flatMap((tag) => {
      const nodeId = resolveNodeId(tag.node_id, link.server.namespaces);
      return nodeId ? [{ tag, nodeId }] : [];
    });
    const reading = inBatches(found, link.server.nodesPerRead, async (batch) => {
      const results = await link.session.read(
        batch.map(({ nodeId }) => ({ nodeId, attributeId: AttributeIds.Value })),
        0,
      );
      for (const [index, { tag }] of batch.entries()) values.set(tag, results[index] ?? new DataValue());
    });
    const what = `${this.#spec.config.endpoint}: reading`;
    try {
      await within(reading, { clock: this.#context.clock, timeoutMs: READ_TIMEOUT_MS, signal, what });
    } catch (error) {
      throw linkFault(error, this.#spec.config.endpoint);
    }
    return values;
  }

  /** Asks again, less and less often, for nodes that the server did not have. */
  async #retryMissing(link: Link, emit: Emit, signal: AbortSignal, report: () => void): Promise<void> {
    const delays = retryDelaysMs({ firstMs: MISSING_FIRST_MS, maxMs: MISSING_MAX_MS, jitter: 0.1, random: Math.random });
    for (const delayMs of delays) {
      await this.#context.clock.sleep(delayMs, signal);
      if (this.#subscription.missingCount === 0) continue;
      const namespaces = await link.session.readNamespaceArray();
      if (await this.#subscription.createMissing(link, namespaces, emit)) report();
    }
  }

  #connected(): Link {
    if (!this.#link) throw new GatewayError('not_connected', `${this.#spec.config.endpoint}: not connected`);
    return this.#link;
  }

  /** The reading of a value that was asked for; emitted too, while there is a run. */
  #take(state: TagState, value: DataValue): Reading {
    const isPresent = this.#byKey.get(tagKey(state)) === state; // its tag may have been changed since it was asked for
    if (this.#emit && isPresent && state.emit(this.#emit, value)) this.#context.report(reportOf(this.#tags));
    const { assetId, tagName } = state;
    const missing = missingStatus(value);
    const timeMs = timeOf(value);
    if (missing !== undefined) return { assetId, tagName, value: null, status: missing, timeMs };
    const { scale = 1, offset = 0 } = state.tag;
    const raw = scalarOf(value.value);
    const scaled = scale !== 1 || offset !== 0;
    return { assetId, tagName, value: scaled && isNumeric(raw) ? Number(raw) * scale + offset : raw, status: statusOf(value), timeMs };
  }
}

function isNumeric(value: Scalar): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** The cheapest question that there is. */
function readState(link: Link): Promise<DataValue> {
  return link.session.read({ nodeId: `ns=0;i=${VariableIds.Server_ServerStatus_State}`, attributeId: AttributeIds.Value });
}
