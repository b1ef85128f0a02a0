/** The query worker: answers questions about history from the store's files, so that a large one holds up neither commits nor the API. */
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import { MIN_TIME_MS, type UnixMs } from '../core/time.ts';
import { History } from './engine/history.ts';
import type { Query } from './engine/query.ts';
import type { UnsealedSamples } from './engine/unsealed.ts';
import type { FromQueryWorker, FromStore, QueryWorkerData, Question, ToQueryWorker, ToStore } from './protocol.ts';
import { faultOf } from './sqlite/database.ts';
import { GAP_LOOK_BACK_MS, type TimeRange } from './telemetry.ts';

/** Asks the store worker for what is not sealed. */
class Unsealed {
  readonly #store: MessagePort;
  readonly #waiting = new Map<number, { resolve: (samples: UnsealedSamples) => void; reject: (error: unknown) => void }>();
  #next = 1;

  constructor(store: MessagePort) {
    this.#store = store;
    store.on('message', (message: FromStore) => {
      const waiter = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === 'unsealed') waiter?.resolve(message.samples);
      else waiter?.reject(new GatewayError(message.fault.code, message.fault.message));
    });
  }

  ask(series: ToStore['series'], range: TimeRange): Promise<UnsealedSamples> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#store.postMessage({ id, series, range } satisfies ToStore);
    });
  }
}

/** Throws `cancelled` where nobody waits for the answer any more. */
type StillAsked = () => void;

async function answer(history: History, unsealed: Unsealed, question: Question, stillAsked: StillAsked): Promise<unknown> {
  stillAsked();
  const { call, query } = question;
  // Whether a gap was open before is asked of what came before.
  const lookBackMs = call === 'gaps' ? GAP_LOOK_BACK_MS : 0;
  const range = { from: Math.max(query.range.from - lookBackMs, MIN_TIME_MS) as UnixMs, to: query.range.to };
  const samples = await unsealed.ask(query.series, range);
  const ask = (asked: Query): unknown => {
    switch (question.call) {
      case 'raw':
        return asked.raw(question.query);
      case 'asOf':
        return asked.asOf(question.query);
      case 'aggregate':
        return asked.aggregate(question.query);
      case 'gaps':
        return asked.gaps(question.query);
      case 'count':
        return asked.count(question.query);
    }
  };
  return history.answer(samples, range, ask, stillAsked);
}

function main(): void {
  const port = parentPort;
  if (!port) throw new Error('this file is the start of a worker thread');
  const { dataDir, store, withdrawn } = workerData as QueryWorkerData;
  const places = new Int32Array(withdrawn);
  const post = (message: FromQueryWorker) => port.postMessage(message);
  const report = (what: string, error: unknown) => post({ kind: 'damage', what, reason: messageOf(error) });
  const unsealed = new Unsealed(store);
  let history: History | undefined;
  const serve = async ({ id, place, question }: ToQueryWorker): Promise<void> => {
    const stillAsked = () => {
      if (Atomics.load(places, place) === 1) throw new GatewayError('cancelled', 'nobody waits for the answer any more');
    };
    try {
      history ??= new History({ dir: join(dataDir, 'telemetry'), clock: systemClock, report });
      post({ kind: 'answer', id, value: await answer(history, unsealed, question, stillAsked) });
    } catch (error) {
      post({ kind: 'refused', id, fault: faultOf(error) });
    }
  };
  let last: Promise<void> = Promise.resolve();
  port.on('message', (message: ToQueryWorker) => {
    last = last.then(() => serve(message)); // one after the other: each needs a copy of what is not sealed
  });
}

main();
