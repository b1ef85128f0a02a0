/** The store worker, and the child processes of the tests, as they are shipped: bundled. They start in a fraction of the sources' time. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import { afterAll, afterEach } from 'vitest';
import type { QueryWorkerData, StoreWorkerData } from '../../src/store/protocol.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'store-built-'));

symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules')); // where the bundles look for better-sqlite3
writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
buildSync({
  entryPoints: {
    'store-worker': join(root, 'src/store/worker.ts'),
    'store-query-worker': join(root, 'src/store/query-worker.ts'),
    'kill-child': join(root, 'test/store/kill-child.ts'),
    'lock-child': join(root, 'test/store/lock-child.ts'),
    'records-child': join(root, 'test/store/sqlite/records-child.ts'),
  },
  outdir: dir,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['better-sqlite3'],
});
afterAll(() => rmSync(dir, { recursive: true }));

export function startBuiltWorker(workerData: StoreWorkerData): Worker {
  return new Worker(join(dir, 'store-worker.js'), { workerData });
}

export function startBuiltQueryWorker(workerData: QueryWorkerData): Worker {
  return new Worker(join(dir, 'store-query-worker.js'), { workerData, transferList: [workerData.store] });
}

/** One Node process, not a wrapper around one, so that a SIGKILL hits what holds the files. */
export function startBuiltChild(name: 'kill-child' | 'lock-child' | 'records-child', args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [join(dir, `${name}.js`), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

/** Children that a failed test leaves behind. */
const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});
