/** The MQTT driver: subscribes to the topics of its tags and turns messages into readings. */
import { createHash } from 'node:crypto';
import { isIP, type LookupFunction } from 'node:net';
import { hostname } from 'node:os';
import type { IClientOptions } from 'mqtt';
import { aborted } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import { asGatewayError, GatewayError, messageOf } from '../../core/errors.ts';
import { ThrottledLog } from '../../core/log.ts';
import { readSmallFile } from '../../core/small-file.ts';
import type { Scalar } from '../../core/tag.ts';
import type { Driver, DriverContext, DriverSpec, Egress, Leave, LinkReport, PeerFacts, RawSample, Readback, TagRef } from '../driver.ts';
import { keptTags } from '../tag-change.ts';
import { Inflow } from './inflow.ts';
import { type Grant, Link } from './link.ts';
import { endpoint, type MqttConfig, type MqttTag, target } from './options.ts';
import { Routes, speakersOf } from './routes.ts';
import { Writer } from './writer.ts';

/** Messages in flight: enough for one commit, few enough that a lost link repeats little. (5.0 §3.1.2.11.3) */
const RECEIVE_MAXIMUM = 256;
/** A broker forgets a box that has been gone for a week, so that a scrapped one does not fill its disk. (5.0 §3.1.2.11.2) */
const SESSION_EXPIRY_S = 7 * 86_400;
/** How long a stop waits for what is being written, so that it is acknowledged and does not come twice. */
const FINISH_MS = 2_000;
/** How long a kept session's queue may take to come through. */
const QUEUE_MS = 600_000;
const NOT_AUTHORISED = 0x87;

export function createDriver(spec: DriverSpec<unknown, unknown>, context: DriverContext): Driver {
  return new MqttDriver(spec as DriverSpec<MqttConfig, MqttTag>, context);
}

class MqttDriver implements Driver {
  readonly #config: MqttConfig;
  readonly #sourceId: string;
  readonly #context: DriverContext;
  readonly #log: ThrottledLog;
  #tags: readonly MqttTag[];
  #routes: Routes;
  /** What the broker last answered to each filter. */
  readonly #grants = new Map<string, Grant>();
  #link: Link | undefined;
  #inflow: Inflow | undefined;
  #sessionKept = false;
  /** Resolves when a kept session has been told of all tags. */
  #subscribed: Promise<void> = Promise.resolve();
  #linkReport: LinkReport = { tagsFailed: 0 };

  constructor(spec: DriverSpec<MqttConfig, MqttTag>, context: DriverContext) {
    this.#config = spec.config;
    this.#sourceId = spec.sourceId;
    this.#context = context;
    this.#log = new ThrottledLog(context.log, context.clock);
    this.#tags = spec.tags;
    this.#routes = new Routes(spec.tags, spec.sourceId);
  }

  async connect(signal: AbortSignal): Promise<void> {
    const options = await clientOptions(this.#config, this.#config.client_id ?? this.#ownClientId());
    const { egress } = this.#context;
    const client = egress ? await guarded(options, target(this.#config), egress, signal) : options;
    signal.throwIfAborted();
    const { clock } = this.#context;
    const link = new Link({ client, url: endpoint(this.#config), clock });
    const inflow = new Inflow({ routes: this.#routes, outlet: link, clock, log: this.#log });
    link.onMessage = (message) => inflow.take(message);
    this.#link = link;
    this.#inflow = inflow;
    this.#sessionKept = await link.open(signal);
    this.#grants.clear();
    if (this.#sessionKept) return;
    await this.#subscribe(link, this.#routes.subscriptions, signal);
    this.#linkReport = this.#judge();
  }

  async run(emit: Emit, signal: AbortSignal): Promise<void> {
    const link = this.#link;
    const inflow = this.#inflow;
    if (!link || !inflow) throw new GatewayError('not_connected', `${endpoint(this.#config)}: not connected`);
    this.#context.report(this.#linkReport);
    inflow.start(emit);
    this.#subscribed = this.#sessionKept ? this.#subscribeAgain(link, signal) : Promise.resolve();
    const lost = await Promise.race([link.lost, aborted(signal)]);
    const waiting = new AbortController();
    await inflow.finish(lost ? Promise.resolve() : this.#context.clock.sleep(FINISH_MS, waiting.signal).catch(() => undefined));
    waiting.abort();
    if (lost) throw lost;
  }

  /** What is new is subscribed before what is gone is unsubscribed: where filters overlap, a message may come twice meanwhile, but none is lost. */
  async retag(given: readonly unknown[], leave: Leave, signal: AbortSignal): Promise<void> {
    const link = this.#link;
    const inflow = this.#inflow;
    if (!link || !inflow) throw new GatewayError('not_connected', `${endpoint(this.#config)}: not connected`);
    const before = this.#routes.subscriptions;
    const tags = keptTags(this.#tags, given as readonly MqttTag[]);
    const routes = new Routes(tags, this.#sourceId);
    const goesOn = speakersOf(
      tags.filter((tag) => this.#routes.has(tag)),
      this.#sourceId,
    );
    await this.#subscribed;
    signal.throwIfAborted();
    await this.#subscribe(link, without(routes.subscriptions, before), signal);
    signal.throwIfAborted();
    leave(goesOn);
    this.#tags = tags;
    this.#routes = routes;
    inflow.reroute(routes);
    const gone = without(before, routes.subscriptions);
    await link.unsubscribe(gone, signal);
    for (const filter of gone) this.#grants.delete(filter);
    this.#context.report(this.#judge());
  }

  /** The broker cannot be asked for a value, so the device's next word on the tag's topic is what confirms. */
  write(tag: TagRef, value: Scalar, signal: AbortSignal): Promise<Readback> {
    const link = this.#link;
    const inflow = this.#inflow;
    if (!link || !inflow) return Promise.reject(new GatewayError('not_connected', `${endpoint(this.#config)}: not connected`));
    const { clock } = this.#context;
    return new Writer({ link, inflow, routes: this.#routes, sourceId: this.#sourceId, clock }).write(tag, value, signal);
  }

  /** A broker says no more of itself than this. */
  async identify(): Promise<PeerFacts> {
    return { protocol_version: this.#config.protocol_version === 5 ? '5.0' : '3.1.1', session_present: this.#sessionKept };
  }

  raw(tag: TagRef): RawSample | undefined {
    return this.#inflow?.raw(tag);
  }

  /** Tags may have been added since the session began. Not part of `connect`: a long queue may stand before the answer. Never rejects. */
  async #subscribeAgain(link: Link, signal: AbortSignal): Promise<void> {
    try {
      await this.#subscribe(link, this.#routes.subscriptions, signal, QUEUE_MS);
      this.#context.report(this.#judge());
    } catch (error) {
      if (!signal.aborted) link.drop(asGatewayError(error, 'protocol', endpoint(this.#config)));
    }
  }

  async #subscribe(link: Link, filters: readonly string[], signal: AbortSignal, timeoutMs?: number): Promise<void> {
    for (const grant of await link.subscribe(filters, this.#config.qos, signal, timeoutMs)) this.#grants.set(grant.filter, grant);
  }

  async close(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    this.#inflow = undefined;
    await link?.close();
  }

  /** The same after a restart, another one on another box or in another data directory. */
  #ownClientId(): string {
    const box = createHash('sha256').update(`${hostname()}\0${this.#context.stateDir}\0${this.#sourceId}`).digest('hex').slice(0, 12);
    return `twinbox-${this.#sourceId.slice(0, 64)}-${box}`;
  }

  /** @throws GatewayError `authentication_failed` or `protocol` when the broker refuses every filter. */
  #judge(): LinkReport {
    const grants = this.#routes.subscriptions.flatMap((filter) => this.#grants.get(filter) ?? []);
    const refused = grants.filter(({ code }) => code >= 0x80);
    const [first] = refused;
    const weaker = grants.find(({ code }) => code < this.#config.qos);
    if (weaker)
      this.#log.warn(
        'weaker_qos',
        { topic: weaker.filter, granted: weaker.code },
        'the broker gives a weaker QoS than asked for: messages may be lost while the link is down',
      );
    if (!first) return { tagsFailed: 0 };
    const reason = `the broker refuses the subscription to "${first.filter}" (code ${first.code})${refused.length > 1 ? ` and ${refused.length - 1} more` : ''}`;
    if (refused.length === grants.length) {
      throw new GatewayError(first.code === NOT_AUTHORISED ? 'authentication_failed' : 'protocol', `${endpoint(this.#config)}: ${reason}`);
    }
    return { tagsFailed: refused.reduce((sum, { filter }) => sum + this.#routes.tagsUnder(filter), 0), reason };
  }
}

function without(filters: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return filters.filter((filter) => !known.has(filter));
}

/** @throws GatewayError `config_invalid` when a certificate file cannot be read. */
async function clientOptions(config: MqttConfig, clientId: string): Promise<IClientOptions> {
  const url = new URL(config.broker_url);
  const scheme = url.protocol.slice(0, -1) as 'mqtt' | 'mqtts' | 'ws' | 'wss';
  const web = scheme === 'ws' || scheme === 'wss';
  const tls = scheme === 'mqtts' || scheme === 'wss' ? await tlsOptions(config.tls) : {};
  return {
    protocol: scheme,
    host: web ? url.hostname : url.hostname.replace(/^\[(.*)\]$/, '$1'), // an IPv6 address has brackets only inside a URL
    ...(url.port && { port: Number(url.port) }),
    ...(web && { path: url.pathname + url.search, wsOptions: tls }),
    ...tls,
    protocolVersion: config.protocol_version,
    clientId,
    clean: config.clean_session,
    keepalive: config.keepalive_s,
    ...(config.username !== undefined && { username: config.username }),
    ...(config.password !== undefined && { password: config.password }),
    ...(config.protocol_version === 5 && {
      properties: { receiveMaximum: RECEIVE_MAXIMUM, sessionExpiryInterval: config.clean_session ? 0 : SESSION_EXPIRY_S },
    }),
  };
}

/** The options with the one address that the host has for this connection; certificates are still those of the host. */
async function guarded(
  options: IClientOptions,
  { host, port }: { readonly host: string; readonly port: number },
  egress: Egress,
  signal: AbortSignal,
): Promise<IClientOptions> {
  const address = await egress.address(host, port, signal);
  if (options.wsOptions) {
    const found = { address, family: isIP(address) };
    const lookup: LookupFunction = (_host, { all }, done) => (all ? done(null, [found]) : done(null, found.address, found.family));
    return { ...options, wsOptions: { ...options.wsOptions, lookup } };
  }
  const named = options.protocol === 'mqtts' && options.servername === undefined && isIP(host) === 0;
  return { ...options, host: address, ...(named && { servername: host }) };
}

interface TlsOptions {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

async function tlsOptions(tls: MqttConfig['tls']): Promise<TlsOptions> {
  return {
    rejectUnauthorized: tls?.reject_unauthorized ?? true,
    ...(tls?.server_name !== undefined && { servername: tls.server_name }),
    ...(tls?.ca !== undefined && { ca: await pemFile('ca', tls.ca) }),
    ...(tls?.cert !== undefined && { cert: await pemFile('cert', tls.cert) }),
    ...(tls?.key !== undefined && { key: await pemFile('key', tls.key) }),
  };
}

async function pemFile(name: string, path: string): Promise<Buffer> {
  try {
    return await readSmallFile(path);
  } catch (error) {
    throw new GatewayError('config_invalid', `tls.${name}: ${messageOf(error)}`, { cause: error });
  }
}
