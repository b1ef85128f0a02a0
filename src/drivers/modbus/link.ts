/** The link to one device: one request at a time, writes before reads that wait, and a new socket after anything that leaves the old one in doubt. */
import { GatewayError } from '../../core/errors.ts';
import { ModbusException } from './exception.ts';
import type { Span } from './plan.ts';
import { Wire, type WireOptions, type WriteRequest } from './wire.ts';

/** Requests that follow each other with nothing between them. All reject `ModbusException`, or `timeout`, `protocol`, `not_connected`. */
export interface Exchange {
  read(span: Span): Promise<Buffer>;
  write(request: WriteRequest): Promise<void>;
}

export class ModbusLink {
  readonly #options: WireOptions;
  #wire: Wire | undefined;
  #closed = true;
  #failures = 0;
  #busy = false;
  readonly #urgent: (() => Promise<void>)[] = [];
  readonly #waiting: (() => Promise<void>)[] = [];

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
    await this.#inTurn(this.#waiting, () => this.#ready(signal));
  }

  /**
   * The data bytes of a span, after the requests before it; a socket that was closed meanwhile is renewed first.
   * Rejects `ModbusException`, or `timeout`, `protocol`, `not_connected`.
   */
  read(span: Span, signal: AbortSignal): Promise<Buffer> {
    return this.#inTurn(this.#waiting, () => this.#exchange((wire) => wire.read(span, signal), signal));
  }

  /** Does `work` as soon as the request that is under way is over, before every read that waits. */
  urgently<T>(work: (exchange: Exchange) => Promise<T>, signal: AbortSignal): Promise<T> {
    const exchange: Exchange = {
      read: (span) => this.#exchange((wire) => wire.read(span, signal), signal),
      write: (request) => this.#exchange((wire) => wire.write(request, signal), signal),
    };
    return this.#inTurn(this.#urgent, () => work(exchange));
  }

  /** Ends the connection and what waits for it. The link can be opened again. */
  close(): void {
    this.#closed = true;
    this.#drop();
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

  #inTurn<T>(line: (() => Promise<void>)[], work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      line.push(() => work().then(resolve, reject));
      if (!this.#busy) void this.#serve();
    });
  }

  /** Never rejects: whoever waits in line has the error. */
  async #serve(): Promise<void> {
    this.#busy = true;
    for (let next = this.#next(); next; next = this.#next()) await next();
    this.#busy = false;
  }

  #next(): (() => Promise<void>) | undefined {
    return this.#urgent.shift() ?? this.#waiting.shift();
  }
}
