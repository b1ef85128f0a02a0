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
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class QueryClient {
  readonly #options: QueryClientOptions;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #rest: AbortController | undefined;
  #next = 1;

  constructor(options: QueryClientOptions) {
    this.#options = options;
  }

  /** Rejects with what the query throws, `overloaded` when too many wait, and `store_failed` when the worker ends first. */
  ask(question: Question): Promise<unknown> {
    if (this.#asked.size >= MAX_ASKED) {
      return Promise.reject(new GatewayError('overloaded', `${MAX_ASKED} questions about history wait for an answer: ask again later`));
    }
    this.#rest?.abort();
    this.#rest = undefined;
    const worker = this.#worker ?? this.#start();
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#asked.set(id, { resolve, reject });
      worker.postMessage({ id, question } satisfies ToQueryWorker);
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
    const worker = spawn({ dataDir, store: port2 });
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
    this.#asked.delete(message.id);
    if (message.kind === 'answer') asked?.resolve(message.value);
    else asked?.reject(new GatewayError(message.fault.code, message.fault.message));
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
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }
}
