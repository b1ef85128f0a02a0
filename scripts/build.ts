/** Builds `dist/`: one bundle with lazily loaded parts, source maps, and the workers and demo devices as files of their own. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const outdir = join(root, 'dist');
rmSync(outdir, { recursive: true, force: true });

/** Bundled CommonJS packages ask for these. */
const banner = [
  "import { createRequire as twinboxRequire } from 'node:module';",
  "import { fileURLToPath as twinboxPath } from 'node:url';",
  'const require = twinboxRequire(import.meta.url);',
  'const __filename = twinboxPath(import.meta.url);',
  "const __dirname = twinboxPath(new URL('.', import.meta.url));",
].join('\n');

await build({
  absWorkingDir: root,
  entryPoints: {
    main: 'src/main.ts',
    'store-worker': 'src/store/worker.ts',
    'store-query-worker': 'src/store/query-worker.ts',
    'demo-devices': 'src/cli/demo/devices.ts',
  },
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  legalComments: 'linked',
  logLevel: 'warning',
  // Native addons stay packages of their own; the OPC UA library does without its optional lock.
  external: ['better-sqlite3', 'serialport', 'bufferutil', 'utf-8-validate', 'proper-lockfile'],
  banner: { js: banner },
  define: { TWINBOX_VERSION: JSON.stringify(manifest.version), TWINBOX_BUILD_MS: String(Date.now()) },
});

// The page of the API's description.
cpSync(join(root, 'src', 'api', 'docs'), join(outdir, 'docs'), { recursive: true });

// The demo's OPC UA server reads its address space from these.
const nodesets = dirname(createRequire(import.meta.url).resolve('node-opcua-nodesets/package.json'));
cpSync(join(nodesets, 'nodesets', 'Opc.Ua.NodeSet2.xml'), join(outdir, 'nodesets', 'Opc.Ua.NodeSet2.xml'));
