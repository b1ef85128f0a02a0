/** One connection to a broker. Its PUBACKs go out when we say so, not on receipt: until then the broker keeps the message. */
import { connect, type IClientOptions, type MqttClient, type Packet } from 'mqtt';
import type { Clock } from '../../core/clock.ts';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { farewell, linkError, publishError } from './faults.ts';
import type { Message, Outlet } from './inflow.ts';

/** How long CONNACK and SUBACK may take: a broker behind a mobile link answers in 2 s. */
const ANSWER_MS = 10_000;
/** How long we wait for the DISCONNECT to go out. */
const CLOSE_MS = 1_000;
/** AWS IoT Core, the strictest broker known, takes 8 filters in a SUBSCRIBE. */
const FILTERS_PER_SUBSCRIBE = 8;
const REFUSED = 0x80;

export interface LinkOptions {
  readonly client: IClientOptions;
  /** For messages: the broker's address without credentials. */
  readonly url: string;
  readonly clock: Clock;
}

/** The broker's answer to one filter: the QoS granted, or a reason code from 0x80 on. */
export interface Grant {
  readonly filter: string;
  readonly code: number;
}

type SendPacket = (packet: Packet, done?: (error?: Error) => void, ...rest: unknown[]) => void;

export class Link implements Outlet {
  /** Resolves with the reason when the link is gone, whoever ended it. */
  readonly lost: Promise<GatewayError>;
  /** Where messages go; set it before `open`. No more are read from the socket until what it returns resolves. */
  onMessage: (message: Message) => Promise<void> | undefined = () => undefined;
  readonly #options: LinkOptions;
  readonly #client: MqttClient;
  readonly #send: SendPacket;
  #lose: (error: GatewayError) => void = () => {};

  constructor(options: LinkOptions) {
    this.#options = options;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    // One client for each connection: what it would queue for the next one (PUBACKs) would be wrong there.
    this.#client = connect({ ...options.client, reconnectPeriod: 0, manualConnect: true, resubscribe: false, connectTimeout: ANSWER_MS });
    this.#send = holdAcknowledgements(this.#client);
    this.#listen();
  }

  /** Resolves once the broker has accepted us: true when it has kept our session, whose messages may arrive even before. */
  async open(signal: AbortSignal): Promise<boolean> {
    const accepted = new Promise<boolean>((resolve) => {
      this.#client.once('connect', (connack) => resolve(connack.sessionPresent));
    });
    try {
      this.#client.connect();
    } catch (error) {
      throw new GatewayError('config_invalid', `${this.#options.url}: ${messageOf(error)}`, { cause: error }); // a certificate file that holds none
    }
    return this.#answer(accepted, signal, ANSWER_MS);
  }

  /** Subscribes; resolves with the broker's answer for each filter. */
  async subscribe(filters: readonly string[], qos: 0 | 1, signal: AbortSignal, timeoutMs = ANSWER_MS): Promise<Grant[]> {
    const grants: Grant[] = [];
    for (let at = 0; at < filters.length; at += FILTERS_PER_SUBSCRIBE) {
      const some = filters.slice(at, at + FILTERS_PER_SUBSCRIBE);
      const codes = await this.#answer(this.#subscribeSome(some, qos), signal, timeoutMs);
      for (const [index, filter] of some.entries()) grants.push({ filter, code: codes[index] ?? REFUSED });
    }
    return grants;
  }

  #subscribeSome(filters: string[], qos: 0 | 1): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      // rh 1 (version 5): retained messages only for a subscription that is new
      this.#client.subscribe(filters, { qos, ...(this.#client.options.protocolVersion === 5 && { rh: 1 }) }, (error, _grants, packet) => {
        const granted = packet && 'granted' in packet ? packet.granted : undefined;
        if (granted) resolve(granted.map(Number));
        else reject(error ?? new Error('the broker did not answer the subscription'));
      });
    });
  }

  /** Ends subscriptions; resolves when the broker has said so. What was on its way may still come. */
  async unsubscribe(filters: readonly string[], signal: AbortSignal): Promise<void> {
    for (let at = 0; at < filters.length; at += FILTERS_PER_SUBSCRIBE) {
      const some = filters.slice(at, at + FILTERS_PER_SUBSCRIBE);
      const ended = new Promise<void>((resolve, reject) => {
        this.#client.unsubscribe(some, (error) => (error ? reject(error) : resolve()));
      });
      await this.#answer(ended, signal, ANSWER_MS);
    }
  }

  /**
   * Publishes with QoS 1; resolves when the broker has taken it. Rejects `not_writable` or `write_refused` when it does
   * not want it (5.0 §3.4.2.1; a 3.1.1 broker cannot say), `timeout`, or as the link was lost.
   */
  publish(topic: string, payload: string, retain: boolean, signal: AbortSignal): Promise<void> {
    const taken = new Promise<void>((resolve, reject) => {
      this.#client.publish(topic, payload, { qos: 1, retain }, (error) => {
        if (error) reject(publishError(this.#options.url, topic, error));
        else resolve();
      });
    });
    return this.#answer(taken, signal, ANSWER_MS);
  }

  acknowledge(messageId: number): void {
    if (this.#client.connected) this.#send({ cmd: 'puback', messageId, reasonCode: 0 });
  }

  drop(error: GatewayError): void {
    this.#lose(error);
    this.#client.end(true);
  }

  /** Says goodbye and lets the connection go. Never rejects. */
  async close(): Promise<void> {
    if (this.#client.connected) {
      const waiting = new AbortController();
      this.#client.end();
      await Promise.race([this.lost, this.#options.clock.sleep(CLOSE_MS, waiting.signal).catch(() => undefined)]);
      waiting.abort();
    }
    this.#client.stream?.destroy();
  }

  #listen(): void {
    const { url } = this.#options;
    const client = this.#client;
    let goodbye: number | undefined;
    client.handleMessage = (packet, done) => {
      const { topic, payload, retain, qos, messageId } = packet;
      const wait = this.onMessage({
        topic,
        payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
        retained: retain,
        messageId: qos === 1 ? messageId : undefined,
      });
      if (wait) void wait.then(() => done());
      else done();
    };
    client.on('error', (error) => this.drop(linkError(url, error)));
    client.on('disconnect', (packet) => {
      goodbye = packet.reasonCode;
    });
    client.on('close', () => this.#lose(new GatewayError('not_connected', `${url}: ${farewell(goodbye)}`)));
  }

  /** What is awaited, unless the link is lost, the time is up or the signal aborts first. */
  async #answer<T>(awaited: Promise<T>, signal: AbortSignal, timeoutMs: number): Promise<T> {
    const { clock, url } = this.#options;
    const waiting = new AbortController();
    const slow = clock
      .sleep(timeoutMs, AbortSignal.any([signal, waiting.signal]))
      .then(() => new GatewayError('timeout', `${url}: no answer within ${timeoutMs / 1000} s`));
    try {
      const first = await Promise.race([awaited, this.lost, slow]);
      if (first instanceof GatewayError) throw first;
      return first;
    } finally {
      waiting.abort();
    }
  }
}

/**
 * Keeps the library from acknowledging on receipt; gives the function that sends a packet as before. The library's own
 * way, a late callback of `handleMessage`, holds back every later packet too, so only one message would be in flight.
 * @throws Error when the library has changed so that this would not work.
 */
function holdAcknowledgements(client: MqttClient): SendPacket {
  const inside = client as unknown as { _sendPacket?: SendPacket };
  const send = inside._sendPacket?.bind(client);
  if (!send) throw new Error('the MQTT library has no _sendPacket: acknowledgements cannot be held');
  inside._sendPacket = (packet, done, ...rest) => {
    if (packet.cmd === 'puback') done?.();
    else send(packet, done, ...rest);
  };
  return send;
}
