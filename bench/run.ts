/**
 * Runs a benchmark by its name: `npm run bench -- B7 [--json] [its own options]`. It is bundled first, as the daemon is: code that is
 * compiled at its import has helpers in its loops, which cost up to a quarter. Exit code 1 when it could not run.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
/** These measure the daemon as it is delivered. */
const WITH_DAEMON = ['B9', 'B10', 'B11', 'B16', 'B17-http', 'rest-ingest', 'streams'];
if (WITH_DAEMON.includes(process.argv[2] ?? '')) {
  const { status: built } = spawnSync('npm', ['run', '-s', 'build'], { stdio: 'inherit', cwd: root });
  if (built !== 0) process.exit(1);
}
/** Below the packages, which are found from there. */
const outdir = join(root, 'node_modules', '.cache', 'bench');
await build({
  absWorkingDir: root,
  entryPoints: { main: 'bench/main.ts', 'store-worker': 'src/store/worker.ts', 'store-query-worker': 'src/store/query-worker.ts' },
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
  packages: 'external',
});
const { status } = spawnSync(
  process.execPath,
  [
    ...process.execArgv.filter((flag) => flag.startsWith('--cpu-prof')),
    '--enable-source-maps',
    join(outdir, 'main.js'),
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', cwd: root },
);
process.exitCode = status ?? 1;
