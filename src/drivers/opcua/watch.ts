/** The watchdog of a link: a half-open socket and a subscription that fell silent look just like a plant at rest. */
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';

const CHECK_MS = 1_000;
/** Silence after which the server is asked for a sign of life. */
const ASK_AFTER_MS = 4_000;
/** Silence after which the link is given up; with a check's delay it stays below the 15 s promised. */
const LOST_AFTER_MS = 11_000;
/** Publish responses may be late by this many keep-alives before the subscription is held for dead. */
const KEEP_ALIVES = 3;

export interface Watched {
  /** Asks the server for anything; resolves when it has answered. */
  ask(): Promise<unknown>;
  readonly clock: Clock;
  /** When the last publish response came, by the monotonic clock; `undefined` while one is being taken. */
  heardMs(): number | undefined;
  readonly keepAliveMs: number;
}

/** Rejects `not_connected` when the server is silent, or answers reads but publishes nothing any more; rejects with the signal's reason when it aborts. */
export async function watch(watched: Watched, signal: AbortSignal): Promise<never> {
  const { clock } = watched;
  let answeredMs = clock.monotonicMs();
  let asking = false;
  for (let lastMs = answeredMs; ; ) {
    await clock.sleep(CHECK_MS, signal);
    const nowMs = clock.monotonicMs();
    // when this process itself stood still, the silence is ours: start counting anew
    if (nowMs - lastMs > ASK_AFTER_MS) answeredMs = nowMs;
    lastMs = nowMs;
    const heardMs = watched.heardMs() ?? nowMs;
    answeredMs = Math.max(answeredMs, heardMs);
    if (nowMs - answeredMs > LOST_AFTER_MS) {
      throw new GatewayError('not_connected', `the server has not answered for ${Math.round((nowMs - answeredMs) / 1_000)} s`);
    }
    if (nowMs - heardMs > KEEP_ALIVES * watched.keepAliveMs + LOST_AFTER_MS) {
      throw new GatewayError('not_connected', 'the server answers, but its subscription has fallen silent');
    }
    if (asking || nowMs - answeredMs < ASK_AFTER_MS) continue;
    asking = true;
    watched.ask().then(
      () => {
        asking = false;
        answeredMs = clock.monotonicMs();
      },
      () => {
        asking = false; // asked again at the next check, until the silence is too long
      },
    );
  }
}
