/** Workers start from TypeScript sources, from another folder, and from a bundle. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';
import { spawnWorker } from '../../src/system/spawn.ts';

const run = promisify(execFile);
const answer = { message: 'hello', workerData: 7, fiveMinutesMs: 300_000 };
const fileOf = (name: string): string => fileURLToPath(new URL(`./workers/${name}`, import.meta.url));

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'twinbox-spawn-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('a worker of the sources starts and takes its options', async () => {
  const worker = spawnWorker({ source: '../test/system/workers/echo-worker.ts', bundle: 'none.js' }, { workerData: 7 });
  onTestFinished(async () => {
    await worker.terminate();
  });
  worker.postMessage('hello');
  expect(await once(worker, 'message')).toEqual([answer]);
});

test.each(['failing-worker.ts', 'no-such-worker.ts'])('a worker that cannot start is an error event: %s', async (name) => {
  const worker = spawnWorker({ source: `../test/system/workers/${name}`, bundle: 'none.js' });
  const [error] = (await once(worker, 'error')) as [Error];
  expect(error.message).toMatch(/no such luck|Cannot find module/);
});

test('the current folder does not matter', async () => {
  const loader = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href;
  const script = `
    import { spawnWorker } from ${JSON.stringify(new URL('../../src/system/spawn.ts', import.meta.url).href)};
    const worker = spawnWorker({ source: '../test/system/workers/echo-worker.ts', bundle: 'none.js' }, { workerData: 7 });
    worker.once('message', (message) => { process.stdout.write(JSON.stringify(message)); worker.terminate(); });
    worker.postMessage('hello');`;
  const { stdout } = await run(process.execPath, ['--import', loader, '--input-type=module', '-e', script], {
    cwd: await temporaryFolder(),
  });
  expect(JSON.parse(stdout)).toEqual(answer);
});

test('a bundle finds its worker beside itself, without any loader', async () => {
  const folder = await temporaryFolder();
  await build({
    entryPoints: { main: fileOf('bundled-main.ts'), 'echo-worker': fileOf('echo-worker.ts') },
    outdir: folder,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
  });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const { stdout } = await run(process.execPath, [join(folder, 'main.js')], { cwd: '/' });
  expect(JSON.parse(stdout)).toEqual(answer);
});
