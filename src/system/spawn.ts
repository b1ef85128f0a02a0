/** Starts worker threads, the same way from TypeScript sources and from the built bundle. The only `new Worker` of the house. */
import { Worker, type WorkerOptions } from 'node:worker_threads';

export interface WorkerEntry {
  /** The worker's file when run from sources, relative to `src/`, such as `store/worker.ts`. */
  readonly source: string;
  /** The same worker in the bundle's folder, such as `store-worker.js`. */
  readonly bundle: string;
}

/** A failure to load the file arrives as the worker's `error` event. */
export function spawnWorker(entry: WorkerEntry, options: WorkerOptions = {}): Worker {
  if (!import.meta.url.endsWith('.ts')) return new Worker(new URL(`./${entry.bundle}`, import.meta.url), options);
  // Node 20 runs no .ts file as a worker, and a worker does not inherit the loader of its parent:
  // a script of one line registers it first.
  const loaderUrl = import.meta.resolve('tsx/esm/api');
  const workerUrl = new URL(`../${entry.source}`, import.meta.url).href;
  const script = `import(${JSON.stringify(loaderUrl)}).then((tsx) => { tsx.register(); return import(${JSON.stringify(workerUrl)}); })`;
  return new Worker(script, { ...options, eval: true });
}
