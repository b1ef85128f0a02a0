/** The link to one device: one request at a time, writes before reads that wait, and a new connection after anything that leaves the old one in doubt. */
import { GatewayError } from '../../core/errors.ts';
import { ModbusException } from './exception.ts';
import type { Span } from './plan.ts';
import type { RequestOptions } from './request-queue.ts';
import type { Medium, Transport } from './transport.ts';
import type { Wire, WriteRequest } from './wire.ts';

/** Requests that follow each other with nothing between them. All reject `ModbusException`, or `timeout`, `protocol`, `not_connected`. */
export interface Exchange {
  read(span: Span): Promise<Buffer>;
  write(request: WriteRequest): Promise<void>;
}

export class ModbusLink {
  readonly #transport: Transport;
  /** From `open` to `close`. */
  #medium: Medium | undefined;
  /** The last `open` that no `close` followed. */
  #opening: symbol | undefined;
  #wire: Wire | undefined;
  #failures = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** As messages name the device. */
  get endpoint(): string {
    return this.#transport.endpoint;
  }

  /** True before `open` and after `close`. */
  get isClosed(): boolean {
    return this.#medium === undefined;
  }

  /** Requests in a row that got no answer at all; an exception is an answer. */
  get failures(): number {
    return this.#failures;
  }

  /** Connects. Rejects `not_connected`, `egress_denied` or `config_invalid`. */
  async open(signal: AbortSignal): Promise<void> {
    this.close();
    const opening = Symbol('opening');
    this.#opening = opening;
    const medium = await this.#transport.enter(signal);
    if (this.#opening !== opening) {
      medium.leave(); // closed meanwhile
      throw this.#closedError();
    }
    this.#medium = medium;
    this.#failures = 0;
    await medium.queue.take(() => this.#ready(signal), { owner: this, signal });
  }

  /**
   * The data bytes of a span, after the requests before it; a connection that was closed meanwhile is renewed first.
   * Rejects `ModbusException`, or `timeout`, `protocol`, `not_connected`.
   */
  read(span: Span, signal: AbortSignal): Promise<Buffer> {
    return this.#inTurn(() => this.#exchange((wire) => wire.read(span, signal), signal), { signal });
  }

  /** Does `work` as soon as the request that is under way is over, before every read that waits. */
  urgently<T>(work: (exchange: Exchange) => Promise<T>, signal: AbortSignal): Promise<T> {
    const exchange: Exchange = {
      read: (span) => this.#exchange((wire) => wire.read(span, signal), signal),
      write: (request) => this.#exchange((wire) => wire.write(request, signal), signal),
    };
    return this.#inTurn(() => work(exchange), { urgent: true, signal });
  }

  /** Ends the connection and what waits for it. The link can be opened again. */
  close(): void {
    const medium = this.#medium;
    this.#medium = undefined;
    this.#opening = undefined;
    this.#drop();
    medium?.queue.leave(this, this.#closedError());
    medium?.leave();
  }

  async #exchange<T>(request: (wire: Wire) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    try {
      const answer = await request(await this.#ready(signal));
      this.#failures = 0;
      return answer;
    } catch (error) {
      if (error instanceof ModbusException) {
        this.#failures = 0;
      } else {
        this.#drop(); // a late answer must not meet the next request
        if (!signal.aborted) this.#failures++;
      }
      throw error;
    }
  }

  async #ready(signal: AbortSignal): Promise<Wire> {
    if (this.#wire && !this.#wire.isOpen) this.#drop();
    const medium = this.#medium;
    if (!this.#wire && medium) {
      const wire = await medium.dial(signal);
      if (medium === this.#medium) this.#wire = wire;
      else wire.destroy(); // closed while dialling
    }
    if (!this.#wire) throw this.#closedError();
    return this.#wire;
  }

  #closedError(): GatewayError {
    return new GatewayError('not_connected', `the connection to ${this.endpoint} is closed`);
  }

  #drop(): void {
    this.#wire?.destroy();
    this.#wire = undefined;
  }

  async #inTurn<T>(work: () => Promise<T>, options: Omit<RequestOptions, 'owner'>): Promise<T> {
    const medium = this.#medium;
    if (!medium) throw this.#closedError();
    if (medium.settled) await medium.settled(options.signal);
    if (medium !== this.#medium) throw this.#closedError();
    return medium.queue.take(work, { ...options, owner: this });
  }
}
