/** The main thread's side of the query worker: started at the first question, ended after a minute without one. */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads';
import type { Clock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { DamageBook } from './damage-book.ts';
import type { FromQueryWorker, QueryWorkerData, Question, ToQueryWorker } from './protocol.ts';

/** A worker costs some ten megabytes. */
const REST_MS = 60_000;
/** They are answered one after the other, and one may take half a minute. */
const MAX_ASKED = 32;

export interface QueryClientOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly damages: DamageBook;
  readonly spawn: (data: QueryWorkerData) => Worker;
  /** Hands the store worker its end of the line to a new query worker. */
  readonly introduce: (port: MessagePort) => void;
}

interface Asked {
  readonly call: Question['call'];
  /** In the table of what was withdrawn. */
  readonly place: number;
  /** Listens no longer to who asked. */
  readonly settled: () => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class QueryClient {
  readonly #options: QueryClientOptions;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #rest: AbortController | undefined;
  #next = 1;
  readonly #withdrawn = new Int32Array(new SharedArrayBuffer(MAX_ASKED * Int32Array.BYTES_PER_ELEMENT));
  readonly #free = Array.from(this.#withdrawn.keys());

  constructor(options: QueryClientOptions) {
    this.#options = options;
  }

  /**
   * Rejects with what the query throws, `overloaded` when too many wait, `store_failed` when the worker ends first, and `cancelled` at the
   * signal: then the question is dropped when its turn comes, or ends at its next block.
   */
  ask(question: Question, signal?: AbortSignal): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(withdrawn());
    const place = this.#free.pop();
    if (place === undefined) {
      return Promise.reject(new GatewayError('overloaded', `${MAX_ASKED} questions about history wait for an answer: ask again later`));
    }
    this.#rest?.abort();
    this.#rest = undefined;
    const worker = this.#worker ?? this.#start();
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      const withdraw = () => {
        Atomics.store(this.#withdrawn, place, 1);
        reject(withdrawn());
      };
      const settled = () => signal?.removeEventListener('abort', withdraw);
      Atomics.store(this.#withdrawn, place, 0);
      this.#asked.set(id, { call: question.call, place, settled, resolve, reject });
      signal?.addEventListener('abort', withdraw, { once: true });
      worker.postMessage({ id, place, question } satisfies ToQueryWorker);
    });
  }

  /** Ends the worker; who waits for an answer gets `error`. The next question starts another. */
  async end(error: GatewayError): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#rest?.abort();
    this.#rejectAll(error);
    await worker?.terminate();
  }

  #start(): Worker {
    const { dataDir, spawn, introduce } = this.#options;
    const { port1, port2 } = new MessageChannel();
    const worker = spawn({ dataDir, store: port2, withdrawn: this.#withdrawn.buffer });
    introduce(port1);
    this.#worker = worker;
    let failure: unknown;
    worker.on('message', (message: FromQueryWorker) => this.#onMessage(message));
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', (code) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const why = failure === undefined ? `with ${code}` : `by ${messageOf(failure)}`;
      this.#options.log.error({ err: failure, code }, 'the query worker ended');
      this.#rejectAll(new GatewayError('store_failed', `the query worker ended ${why}`, { cause: failure }));
    });
    return worker;
  }

  #onMessage(message: FromQueryWorker): void {
    if (message.kind === 'damage') {
      this.#options.damages.note(message.what, message.reason);
      this.#options.log.error({ what: message.what, reason: message.reason }, 'the store found damage');
      return;
    }
    const asked = this.#asked.get(message.id);
    if (!asked) return; // of a worker that has ended meanwhile
    this.#asked.delete(message.id);
    this.#release(asked);
    if (message.kind === 'answer') asked.resolve(message.value);
    else asked.reject(new GatewayError(message.fault.code, message.fault.message));
    if (this.#asked.size === 0) void this.#restAWhile();
  }

  async #restAWhile(): Promise<void> {
    const rest = new AbortController();
    this.#rest = rest;
    try {
      await this.#options.clock.sleep(REST_MS, rest.signal);
    } catch (error) {
      if (rest.signal.aborted) return;
      throw error;
    }
    await this.end(new GatewayError('stopped', 'the query worker rests'));
  }

  #rejectAll(error: GatewayError): void {
    for (const asked of this.#asked.values()) {
      this.#release(asked);
      asked.reject(error);
    }
    this.#asked.clear();
  }

  #release({ call, place, settled }: Asked): void {
    settled();
    this.#free.push(place);
    if (Atomics.load(this.#withdrawn, place) === 1) this.#options.log.debug({ call }, 'a question about history was withdrawn');
  }
}

function withdrawn(): GatewayError {
  return new GatewayError('cancelled', 'nobody waits for the answer any more');
}
