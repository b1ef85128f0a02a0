/** Waiting for a device: no longer than the timeout, the end of the connection or the abort, whatever the library does. */
import type { Clock } from '../../core/clock.ts';
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import type { Closing } from './connection.ts';

export interface Bounds {
  /** As messages name the device. */
  readonly endpoint: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export interface BoundedBy extends Bounds {
  readonly closing: Pick<Closing, 'onClose'>;
  readonly signal: AbortSignal;
}

/** Settles as `work` does. Rejects `timeout` or `not_connected`, or with the signal's reason, whichever comes first. */
export function bounded<T>(work: Promise<T>, { endpoint, timeoutMs, clock, closing, signal }: BoundedBy): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = new AbortController();
    const settle = (): void => {
      timer.abort();
      forget();
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      settle();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    const forget = closing.onClose((cause) => {
      fail(new GatewayError('not_connected', `${endpoint} closed the connection${cause ? `: ${reasonOf(cause)}` : ''}`, { cause }));
    });
    signal.addEventListener('abort', onAbort, { once: true });
    clock.sleep(timeoutMs, timer.signal).then(
      () => fail(new GatewayError('timeout', `${endpoint} did not answer within ${timeoutMs} ms`)),
      () => {}, // settled in time
    );
    work.then((value) => {
      settle();
      resolve(value);
    }, fail);
  });
}

/** Waits until a connection stands, and destroys it where it does not come to that. Rejects `not_connected`. */
export async function established(standing: Promise<unknown>, by: BoundedBy & { readonly closing: Closing }): Promise<void> {
  try {
    await bounded(standing, by);
  } catch (error) {
    by.closing.destroy();
    if (by.signal.aborted) throw error;
    throw cannotConnect(by.endpoint, error);
  }
}

/** `not_connected`, with the reason in words that say it once. */
export function cannotConnect(endpoint: string, error: unknown): GatewayError {
  const cause = isGatewayError(error, 'not_connected') ? (error.cause ?? error) : error;
  return new GatewayError('not_connected', `cannot connect to ${endpoint}: ${reasonOf(cause)}`, { cause });
}

/** A host with several addresses fails with an error that has no message of its own, only a code. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && error.message === '' && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : messageOf(error);
}
