/** One try to send a letter, bounded in time whatever the channel does. */
import type { Clock } from '../../core/clock.ts';
import { asGatewayError, GatewayError } from '../../core/errors.ts';
import type { Channel } from './channel.ts';
import type { Letter } from './letter.ts';

export interface AttemptBounds {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** As `Channel.send`; rejects with GatewayErrors alone: `timeout` when the time is over, `cancelled` when the signal aborts. */
export async function attempt(channel: Channel, letter: Letter, { clock, timeoutMs, signal }: AttemptBounds): Promise<string | null> {
  const stop = new AbortController();
  const timer = new AbortController();
  const cancel = () => stop.abort(new GatewayError('cancelled', 'the sending was broken off'));
  signal.addEventListener('abort', cancel, { once: true });
  if (signal.aborted) cancel();
  clock.sleep(timeoutMs, timer.signal).then(
    () => stop.abort(new GatewayError('timeout', `${channel.target}: did not take the message within ${timeoutMs / 1_000} s`)),
    () => undefined, // settled in time
  );
  const stopped = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true });
  });
  try {
    stop.signal.throwIfAborted();
    return await Promise.race([channel.send(letter, stop.signal), stopped]);
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : asGatewayError(error, 'delivery_failed', channel.target);
  } finally {
    signal.removeEventListener('abort', cancel);
    timer.abort();
  }
}
