/** Bounds a wait on the library, which takes no signal and may never answer. */
import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, GatewayError } from '../../core/errors.ts';

export interface Bounds {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What is waited for, as in "connecting to opc.tcp://…". */
  readonly what: string;
  /** The code of an answer that does not come; `not_connected` when absent. */
  readonly late?: ErrorCode;
}

/** Settles as `work` does; rejects `late` after `timeoutMs`, and `not_connected` when the signal aborts. The work itself goes on, unheeded. */
export async function within<T>(work: Promise<T>, bounds: Bounds): Promise<T> {
  const { clock, timeoutMs, signal, what, late = 'not_connected' } = bounds;
  const timer = new AbortController();
  const cancel = () => timer.abort(signal.reason);
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  const expiry = clock.sleep(timeoutMs, timer.signal).then(
    () => {
      throw new GatewayError(late, `${what}: no answer within ${Math.round(timeoutMs / 1_000)} s`);
    },
    (cause) => {
      throw new GatewayError('not_connected', `${what}: cancelled`, { cause });
    },
  );
  try {
    return await Promise.race([work, expiry]);
  } finally {
    signal.removeEventListener('abort', cancel);
    timer.abort();
  }
}
