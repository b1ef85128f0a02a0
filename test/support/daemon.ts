/** The built daemon as a process of its own: started with a configuration, asked over HTTP, killed, stopped, started again. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from './free-port.ts';
import { TestProcess } from './process.ts';
import { eventually } from './wait.ts';

/** Of the project's folder, in which tests and benchmarks run. */
const MAIN = join(process.cwd(), 'dist', 'main.js');
const CONFIG = 'config.yaml';
const READY_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 30_000;

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

export class TestDaemon {
  readonly url: string;
  /** Holds the configuration and the data. */
  readonly folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #process: TestProcess;
  #token = '';
  /** From the last start to the first answer of /readyz that says ready. */
  readyMs = 0;

  /** Where it keeps its data. */
  readonly dataDir: string;

  private constructor(folder: string, dataDir: string, port: number, env: Readonly<Record<string, string>>) {
    this.#env = env;
    this.folder = folder;
    this.dataDir = dataDir;
    this.url = `http://127.0.0.1:${port}`;
    this.#process = this.#spawn();
  }

  /** Starts `dist/main.js` and waits until it is ready. `config` is the document without `api`; `data_dir` may be absent. */
  static async start(
    config: Readonly<Record<string, unknown>> & { readonly data_dir?: string },
    env: Readonly<Record<string, string>> = {},
  ): Promise<TestDaemon> {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run "npm run build" first`);
    const folder = await mkdtemp(join(tmpdir(), 'twinbox-test-'));
    const port = await freePort();
    await writeFile(join(folder, CONFIG), textOf(config, port), { mode: 0o600 });
    const daemon = new TestDaemon(folder, config.data_dir ?? join(folder, 'data'), port, env);
    try {
      await daemon.ready();
    } catch (error) {
      await daemon.dispose();
      throw error;
    }
    return daemon;
  }

  get token(): string {
    return this.#token;
  }

  get running(): boolean {
    return this.#process.running;
  }

  get(path: string): Promise<Answer> {
    return this.#request(path, {});
  }

  post(path: string, json: unknown): Promise<Answer> {
    return this.#request(path, { method: 'POST', body: JSON.stringify(json), headers: { 'Content-Type': 'application/json' } });
  }

  patch(path: string, json: unknown): Promise<Answer> {
    return this.#request(path, { method: 'PATCH', body: JSON.stringify(json), headers: { 'Content-Type': 'application/json' } });
  }

  put(path: string, json: unknown): Promise<Answer> {
    return this.#request(path, { method: 'PUT', body: JSON.stringify(json), headers: { 'Content-Type': 'application/json' } });
  }

  delete(path: string): Promise<Answer> {
    return this.#request(path, { method: 'DELETE' });
  }

  /** Starts it again on the same data, and does not wait. */
  launch(): void {
    if (this.#process.running) throw new Error('the daemon still runs');
    this.#process = this.#spawn();
  }

  /** Waits for /readyz after `launch`; throws with the log when the daemon ends or takes too long. */
  async ready(): Promise<void> {
    const startMs = performance.now();
    await this.#answers('/readyz');
    this.readyMs = Math.round(performance.now() - startMs);
    this.#token = (await readFile(join(this.dataDir, 'admin.token'), 'utf8')).trim();
  }

  /** Waits for the first answer after `launch`, whatever the daemon misses; throws as `ready` does. */
  alive(): Promise<void> {
    return this.#answers('/healthz');
  }

  /** Memory of the process that is resident now, in bytes. Linux tells. */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  }

  /** CPU time of the process so far, user and system, in µs, to 10 ms. */
  cpuUs(): Promise<number> {
    return this.#process.cpuUs();
  }

  async restart(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** Writes the configuration anew, as `start` does or as the text says, and sends SIGHUP; does not wait for what becomes of it. */
  async reconfigure(config: Readonly<Record<string, unknown>> | string): Promise<void> {
    const text = typeof config === 'string' ? config : textOf(config, Number(new URL(this.url).port));
    const fresh = join(this.folder, `${CONFIG}.new`);
    await writeFile(fresh, text, { mode: 0o600 });
    await rename(fresh, join(this.folder, CONFIG)); // a signal that is under way reads the old one or the new one
    this.#process.signal('SIGHUP');
  }

  /** Ends it by the signal; resolves when the process is gone, with its exit status or the signal. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | NodeJS.Signals> {
    return this.#process.end(signal);
  }

  /** As systemd does; resolves with the exit status. */
  stop(): Promise<number | NodeJS.Signals> {
    return this.kill('SIGTERM');
  }

  /** What the daemon wrote since its last start. */
  log(): string {
    return this.#process.output;
  }

  /** Ends it and removes its folder. */
  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #answers(path: string): Promise<void> {
    await eventually(
      async () => {
        if (!this.#process.running) return true;
        const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
        await response.arrayBuffer();
        return response.ok || undefined;
      },
      { what: `the daemon answers ${path}`, timeoutMs: READY_TIMEOUT_MS, everyMs: 10, explain: () => this.#process.lastLines() },
    );
    if (!this.#process.running) throw new Error(`the daemon ended (${await this.#process.exited()}):\n${this.#process.lastLines()}`);
  }

  #spawn(): TestProcess {
    return new TestProcess(process.execPath, [MAIN, 'run', '-c', join(this.folder, CONFIG)], this.#env);
  }

  async #request(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      ...init,
      headers: { ...init.headers, Authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  }
}

function textOf(config: Readonly<Record<string, unknown>>, port: number): string {
  return stringify({ data_dir: 'data', api: { listen: `127.0.0.1:${port}`, rate_limit: 'off' }, ...config });
}
