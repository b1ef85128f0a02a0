/** A program that a test starts, listens to and ends by its id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';

const KEPT_CHARACTERS = 200_000;
const KEPT_LINES_SHOWN = 30;

/** Whatever a test leaves behind must not outlive the test run. */
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export class TestProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | NodeJS.Signals>;
  #output = '';

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    alive.add(this.#child);
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#keep(chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#keep(chunk));
    this.#exit = once(this.#child, 'close').then(([code, signal]) => {
      alive.delete(this.#child);
      return (code ?? signal) as number | NodeJS.Signals;
    });
    this.#child.once('error', (error) => this.#keep(`${command}: ${error.message}`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** CPU time so far, user and system, in µs, to 10 ms. Linux tells. (proc(5)) */
  async cpuUs(): Promise<number> {
    const stat = await readFile(`/proc/${this.pid}/stat`, 'utf8');
    const [userTicks, systemTicks] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13)
      .map(Number);
    return ((userTicks as number) + (systemTicks as number)) * 10_000; // 100 ticks a second on every Linux that Node runs on
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Everything it wrote, or the end of it. */
  get output(): string {
    return this.#output;
  }

  lastLines(): string {
    return this.#output.split('\n').slice(-KEPT_LINES_SHOWN).join('\n');
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Resolves with the exit status, or the signal that ended it. */
  exited(): Promise<number | NodeJS.Signals> {
    return this.#exit;
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.signal(signal);
    return this.#exit;
  }

  #keep(chunk: Buffer | string): void {
    this.#output = (this.#output + chunk.toString()).slice(-KEPT_CHARACTERS);
  }
}
