/** The end of the daemon: its parts in order, each in bounded time, so that the store comes to its last commit whatever hangs before it. */
import type { Alerting } from '../alerts/alerting.ts';
import type { Api } from '../api/api.ts';
import type { Listening } from '../api/server.ts';
import { type Clock, endsWithin } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import type { StoreClient } from '../store/client.ts';

/** The API's share of the five seconds that a stop may take. */
export const API_CLOSE_MS = 1_000;
/** All that comes before the store; sources alone may take three seconds. */
const BEFORE_STORE_MS = 3_500;
/** Before whoever called loses patience at five seconds. */
const STOP_MS = 4_800;
/** For what comes after a part that took all the time: enough where nothing hangs. */
const LEAST_MS = 150;

export interface Running {
  readonly clock: Clock;
  readonly log: Log;
  readonly supervisor: Pick<Supervisor, 'stop'>;
  /** Aborting it ends `parts`. */
  readonly running: AbortController;
  readonly parts: readonly Promise<void>[];
  readonly alerting: Pick<Alerting, 'close'>;
  readonly notifying: Begun;
  readonly api: Pick<Api, 'endStreams' | 'close'>;
  readonly listening: Pick<Listening, 'close'>;
  readonly store: Pick<StoreClient, 'stop'>;
}

/** A part that outlives others at the stop. */
export interface Begun {
  stop(): Promise<void>;
}

export function begin(run: (signal: AbortSignal) => Promise<void>): Begun {
  const running = new AbortController();
  const ended = run(running.signal);
  return {
    stop: () => {
      running.abort();
      return ended;
    },
  };
}

/**
 * Resolves within five seconds with the parts that hang. Each step goes on whatever became of the one before it: a driver or
 * a disk that hangs must not keep the store from committing, nor the process from ending.
 */
export async function stopAll(house: Running): Promise<readonly string[]> {
  const { clock, log, supervisor, running, parts, alerting, notifying, api, listening, store } = house;
  const startMs = clock.monotonicMs();
  const hung: string[] = [];
  const step = async (name: string, untilMs: number, act: () => Promise<unknown>) => {
    const boundMs = Math.max(LEAST_MS, startMs + untilMs - clock.monotonicMs());
    try {
      if (await endsWithin(clock, boundMs, act())) return;
      hung.push(name);
      log.error({ step: name }, 'a part did not stop in time');
    } catch (error) {
      log.error({ step: name, reason: messageOf(error) }, 'a part did not stop as it should');
    }
  };
  api.endStreams();
  await step('sources', BEFORE_STORE_MS, () => supervisor.stop());
  running.abort();
  await step('pipeline', BEFORE_STORE_MS, () => Promise.all(parts));
  await step('alerts', BEFORE_STORE_MS, () => alerting.close());
  await step('notifications', BEFORE_STORE_MS, () => notifying.stop());
  await step('api', BEFORE_STORE_MS, () => listening.close(API_CLOSE_MS));
  await step('audit', BEFORE_STORE_MS, () => api.close(API_CLOSE_MS));
  await step('store', STOP_MS, () => store.stop());
  return hung;
}
