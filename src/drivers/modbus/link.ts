/** The link to one device: one request at a time, and a new socket after anything that leaves the old one in doubt. */
import { GatewayError } from '../../core/errors.ts';
import { ModbusException } from './exception.ts';
import type { Span } from './plan.ts';
import { Wire, type WireOptions } from './wire.ts';

export class ModbusLink {
  readonly #options: WireOptions;
  #wire: Wire | undefined;
  #closed = true;
  #failures = 0;
  /** Settles, never rejecting, when the last request so far is over. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: WireOptions) {
    this.#options = options;
  }

  /** `host:port`. */
  get endpoint(): string {
    return this.#options.endpoint;
  }

  /** True before `open` and after `close`. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Requests in a row that got no answer at all; an exception is an answer. */
  get failures(): number {
    return this.#failures;
  }

  /** Connects. Rejects `not_connected`. */
  async open(signal: AbortSignal): Promise<void> {
    this.#closed = false;
    this.#failures = 0;
    await this.#inTurn(() => this.#ready(signal));
  }

  /**
   * The data bytes of a span, after the requests before it; a socket that was closed meanwhile is renewed first.
   * Rejects `ModbusException`, or `timeout`, `protocol`, `not_connected`.
   */
  read(span: Span, signal: AbortSignal): Promise<Buffer> {
    return this.#inTurn(() => this.#exchange(span, signal));
  }

  /** Ends the connection and what waits for it. The link can be opened again. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  async #exchange(span: Span, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted();
    try {
      const wire = await this.#ready(signal);
      const bytes = await wire.read(span, signal);
      this.#failures = 0;
      return bytes;
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
    if (!this.#wire && !this.#closed) this.#wire = await Wire.dial(this.#options, signal);
    if (this.#closed || !this.#wire) {
      this.#drop(); // closed while dialling
      throw new GatewayError('not_connected', `the connection to ${this.endpoint} is closed`);
    }
    return this.#wire;
  }

  #drop(): void {
    this.#wire?.destroy();
    this.#wire = undefined;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.then(
      () => undefined,
      () => undefined, // the caller has the error
    );
    return result;
  }
}
