/** `twinbox backup FILE`: one archive of everything that the daemon keeps, whether it runs or not. */
import { createReadStream, existsSync, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { openBackup } from '../app/backup.ts';
import { ownCertificate } from '../app/tls.ts';
import { isLoopback } from '../config/listen.ts';
import { loadConfig } from '../config/load.ts';
import { systemClock } from '../core/clock.ts';
import { GatewayError, isGatewayError, messageOf } from '../core/errors.ts';
import { type Manifest, readArchive } from '../store/backup/archive.ts';
import { lockDataDir } from '../store/lock.ts';
import { EXIT } from './exit.ts';
import { printFaults } from './faults.ts';

export interface BackupOptions {
  /** Tells the data directory and where the API listens. */
  readonly config?: string;
  readonly dataDir?: string;
  /** Of the running daemon's API; then nothing else is asked. */
  readonly url?: string;
  readonly token?: string;
}

interface Target {
  readonly dataDir: string;
  readonly url: string;
  /** What the API shows that belongs to the data directory. */
  readonly certFile: string;
}

const DEFAULT_DATA_DIR = '/var/lib/twinbox';
const DEFAULT_URL = 'http://127.0.0.1:3000';

/** Resolves with the exit status. FILE appears when it is whole, checked, and on the disk. */
export async function runBackup(file: string, options: BackupOptions): Promise<number> {
  const target = targetOf(options);
  if (!target) return EXIT.config;
  if (existsSync(file)) return failed(EXIT.usage, `${file} – exists; a backup never replaces a file`);
  const unfinished = `${file}.part`;
  try {
    await save(target, options, unfinished);
    const manifest = await readArchive(createReadStream(unfinished), async () => ({ write: async () => {}, end: async () => {} }));
    await rename(unfinished, file);
    await syncFolder(dirname(resolve(file)));
    process.stdout.write(`${file} – ${describe(manifest)}\n`);
    return EXIT.done;
  } catch (error) {
    rmSync(unfinished, { force: true });
    if (!isGatewayError(error) && !isSystemError(error)) throw error;
    return failed(isGatewayError(error, 'not_connected') ? EXIT.unreachable : EXIT.failed, messageOf(error));
  }
}

function targetOf(options: BackupOptions): Target | undefined {
  if (options.config === undefined) {
    const dataDir = resolve(options.dataDir ?? DEFAULT_DATA_DIR);
    return { dataDir, url: options.url ?? DEFAULT_URL, certFile: ownCertificate(dataDir) };
  }
  const outcome = loadConfig(options.config, process.env);
  if (!outcome.ok) {
    printFaults(outcome.faults, process.stderr);
    return undefined;
  }
  const { listen, tls, allowPlaintext } = outcome.value;
  const dataDir = resolve(options.dataDir ?? outcome.value.dataDir);
  const scheme = tls || !(isLoopback(listen.host) || allowPlaintext) ? 'https' : 'http';
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
  const url = `${scheme}://${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
  return { dataDir, url: options.url ?? url, certFile: tls?.certFile ?? ownCertificate(dataDir) };
}

/** The lock tells whether a daemon runs: then the daemon itself must make the copy. */
async function save(target: Target, options: BackupOptions, file: string): Promise<void> {
  const unlock = options.url === undefined ? lockUnlessRunning(target.dataDir) : undefined;
  if (!unlock) return saveFromDaemon(target, options, file);
  try {
    const { chunks, close } = await openBackup({ dataDir: target.dataDir, clock: systemClock });
    try {
      await write(file, chunks);
    } finally {
      close();
    }
  } finally {
    unlock();
  }
}

function lockUnlessRunning(dataDir: string): (() => void) | undefined {
  if (!existsSync(dataDir)) throw new GatewayError('data_dir_unusable', `${dataDir} – there is no such folder`);
  try {
    return lockDataDir(dataDir);
  } catch (error) {
    if (isGatewayError(error, 'data_dir_locked')) return undefined;
    throw error;
  }
}

async function saveFromDaemon({ dataDir, url, certFile }: Target, options: BackupOptions, file: string): Promise<void> {
  const answer = await ask(new URL('/v1/backup', url), options.token ?? readToken(dataDir), certFile);
  if (answer.statusCode !== 200) {
    throw new GatewayError('store_failed', `${url} answers ${answer.statusCode}: ${problemOf(await text(answer))}`);
  }
  try {
    await write(file, answer);
  } catch (error) {
    if (!answer.complete) throw new GatewayError('backup_invalid', 'the daemon broke off', { cause: error });
    throw error;
  }
}

/** The box's own certificate is believed as it is, under whatever name the box is reached. */
async function ask(url: URL, token: string, certFile: string): Promise<IncomingMessage> {
  const headers = { Authorization: `Bearer ${token}` };
  const pinned = existsSync(certFile) ? { ca: readFileSync(certFile), checkServerIdentity: () => undefined } : {};
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const request = url.protocol === 'https:' ? httpsRequest(url, { headers, ...pinned }) : httpRequest(url, { headers });
      request.on('response', resolve).on('error', reject).end();
    });
  } catch (error) {
    throw new GatewayError('not_connected', `${url.origin} cannot be reached; --url or -c names where the API listens`, { cause: error });
  }
}

function readToken(dataDir: string): string {
  const file = join(dataDir, 'admin.token');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  throw new GatewayError('authentication_failed', `the daemon runs and ${file} is not there: give an admin token with --token`);
}

function problemOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } };
    return error?.message ?? text;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
}

async function write(file: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    for await (const chunk of chunks) await writeFully(handle, chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeFully(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done)).bytesWritten;
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function describe({ created, version, files }: Manifest): string {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return `${files.length} files, ${(bytes / 1e6).toFixed(1)} MB, of ${created} by twinbox ${version}`;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}

function failed(code: number, message: string): number {
  process.stderr.write(`${message}\n`);
  return code;
}
