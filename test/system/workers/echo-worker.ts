/** Answers each message with itself, its own options and a value of a typed neighbour: proof that TypeScript and its imports work here. */
import { parentPort, workerData } from 'node:worker_threads';
import { parseDuration } from '../../../src/core/time.ts';

parentPort?.on('message', (message: unknown) => {
  parentPort?.postMessage({ message, workerData: workerData as unknown, fiveMinutesMs: parseDuration('5m') });
});
