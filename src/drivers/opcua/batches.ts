/** Asks a server about many things in as few calls as it allows. */
import { messageOf } from '../../core/errors.ts';

/** What most servers take, and a message that stays well below the smallest usual limit (KEPServerEX documents 1,000). */
const MAX_BATCH = 1_000;

const TOO_MUCH =
  /BadTooManyOperations|BadTooManyMonitoredItems|BadRequestTooLarge|BadResponseTooLarge|BadEncodingLimitsExceeded|BadTcpMessageTooLarge/;

/** A server's own limit as it reports it: 0 and nonsense mean none. (OPC UA Part 5 §6.3.11) */
export function batchSize(reported: unknown): number {
  return typeof reported === 'number' && reported >= 1 ? Math.min(Math.floor(reported), MAX_BATCH) : MAX_BATCH;
}

/** Calls `ask` with slices of at most `size`, one after the other, and halves the size where the server says it was too much. */
export async function inBatches<T>(items: readonly T[], size: number, ask: (batch: readonly T[]) => Promise<void>): Promise<void> {
  let step = size;
  for (let at = 0; at < items.length; ) {
    const batch = items.slice(at, at + step);
    try {
      await ask(batch);
      at += batch.length;
    } catch (error) {
      if (batch.length === 1 || !TOO_MUCH.test(messageOf(error))) throw error;
      step = batch.length >> 1;
    }
  }
}
