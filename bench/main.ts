/** Runs one benchmark in the bundle that `run.ts` makes. Exit code 1 when it could not run, and when the guard trips. */
import { type Benchmark, isMet, printMachine, printResult } from './result.ts';

const BENCHMARKS: Readonly<Record<string, () => Promise<{ readonly benchmark: Benchmark }>>> = {
  B7: () => import('./stored-bytes.ts'),
  B8: () => import('./store-cost.ts'),
  B9: () => import('./change-to-stream.ts'),
  B10: () => import('./http-latest.ts'),
  B11: () => import('./http-under-load.ts'),
  B16: () => import('./overload.ts'),
  B17: () => import('./history-queries.ts'),
  'B17-http': () => import('./http-history.ts'),
  B19: () => import('./device-writes.ts'),
  'rest-ingest': () => import('./rest-ingest.ts'),
  alerts: () => import('./alert-rules.ts'),
  derived: () => import('./derived-tags.ts'),
  streams: () => import('./stream-clients.ts'),
  'store-e2e': () => import('./store-throughput.ts'),
  guard: () => import('./cost-guard.ts'),
};

const [id = '', ...args] = process.argv.slice(2);
const load = BENCHMARKS[id];
if (!load) {
  console.error(`npm run bench -- ${Object.keys(BENCHMARKS).join('|')} [--json]`);
  process.exitCode = 1;
} else {
  const { benchmark } = await load();
  printMachine(id, benchmark.title);
  const measured = await benchmark.run(args.filter((arg) => arg !== '--json'));
  printResult(id, measured, args.includes('--json'));
  if (id === 'guard' && !isMet(measured)) process.exitCode = 1;
}
