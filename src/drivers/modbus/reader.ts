/** Reads planned blocks; halves those the device refuses until only the bad register is refused. */
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import { BAD_DECODING_ERROR, BAD_NO_COMMUNICATION, BAD_TIMEOUT, type StatusCode } from '../../core/status.ts';
import { ModbusException } from './exception.ts';
import type { ModbusLink } from './link.ts';
import { type Block, halves, type Span } from './plan.ts';

/** Two in a row on two sockets are no accident; one may be a lost packet or a block the device is silent about. */
const MAX_FAILURES = 2;

/** What came of one block, or of a part of it: exactly one of `bytes` and `failure`. */
export type Answer<T extends Span> =
  | { readonly block: Block<T>; readonly bytes: Buffer; readonly failure?: undefined }
  | { readonly block: Block<T>; readonly bytes?: undefined; readonly failure: GatewayError };

/**
 * Yields an answer for each block, in parts where it had to be halved; together they hold every item once.
 * Rejects `not_connected` after two requests in a row without any answer or when the link is closed, and with the signal's reason on abort.
 */
export async function* readBlocks<T extends Span>(
  link: ModbusLink,
  blocks: readonly Block<T>[],
  signal: AbortSignal,
): AsyncGenerator<Answer<T>, void, undefined> {
  const waiting = blocks.toReversed();
  for (let block = waiting.pop(); block; block = waiting.pop()) {
    let answer: Answer<T>;
    try {
      answer = { block, bytes: await link.read(block, signal) };
    } catch (error) {
      if (signal.aborted || link.isClosed || !isGatewayError(error)) throw error;
      if (link.failures >= MAX_FAILURES) {
        throw new GatewayError('not_connected', `${link.endpoint} does not answer: ${messageOf(error)}`, { cause: error });
      }
      if (error instanceof ModbusException && error.concernsPart && block.items.length > 1) {
        waiting.push(...halves(block).toReversed());
        continue;
      }
      answer = { block, failure: error };
    }
    yield answer;
  }
}

/** What the tags of a failed request become. */
export function statusOfFailure(failure: GatewayError): StatusCode {
  if (failure instanceof ModbusException) return failure.status;
  if (failure.code === 'timeout') return BAD_TIMEOUT;
  return failure.code === 'protocol' ? BAD_DECODING_ERROR : BAD_NO_COMMUNICATION;
}

/** True when the device said that it has no such thing: asking at every poll would be in vain. */
export function isRefused(failure: GatewayError): boolean {
  return failure instanceof ModbusException && failure.permanent;
}
