/** The main file of a bundle: starts the worker beside it and prints its answer. */
import { spawnWorker } from '../../../src/system/spawn.ts';

const worker = spawnWorker({ source: 'nowhere.ts', bundle: 'echo-worker.js' }, { workerData: 7 });
worker.once('message', (answer: unknown) => {
  process.stdout.write(JSON.stringify(answer));
  void worker.terminate();
});
worker.postMessage('hello');
