/** How a benchmark reports: the machine first, figures as they come, and for programs one line of JSON last. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpus, loadavg, totalmem } from 'node:os';

type Metric = number | readonly number[];

export interface Measured {
  /** The figures that have a goal bear the same names in `goal`. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** At most this; where `atLeast` names it, at least. */
  readonly goal: Readonly<Record<string, Metric>>;
  readonly atLeast?: readonly string[];
}

export interface Benchmark {
  /** What is measured, in a line. */
  readonly title: string;
  /** Rejects when the machine cannot run it. */
  run(args: readonly string[]): Promise<Measured>;
}

export function load(): number {
  return Number(loadavg()[0]?.toFixed(2));
}

/** CPU time of the whole process, user and system, in µs. */
export function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
}

/** The value below which `share` of the numbers lie. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function round(number: number, digits = 3): number {
  return Number(number.toFixed(digits));
}

/** The present commit, with a + when files differ from it. */
function commit(): string {
  const git = (...args: readonly string[]) => execFileSync('git', args, { encoding: 'utf8', cwd: process.cwd() }).trim();
  return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+');
}

export function printMachine(id: string, title: string): void {
  const sqlite = (createRequire(import.meta.url)('better-sqlite3/package.json') as { version: string }).version;
  const [cpu] = cpus();
  console.log(`${id}: ${title}`);
  console.log(
    `${cpus().length} × ${cpu?.model}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, node ${process.version}, better-sqlite3 ${sqlite}, commit ${commit()}, load ${load()}`,
  );
}

/** True when every metric that has a goal keeps it. */
export function isMet({ metrics, goal, atLeast = [] }: Measured): boolean {
  return Object.entries(goal).every(([name, limit]) => {
    const figures = [metrics[name] ?? Number.NaN].flat();
    return [limit].flat().every((bound, index) => {
      const figure = figures[index] ?? Number.NaN;
      return atLeast.includes(name) ? figure >= bound : figure <= bound;
    });
  });
}

export function printResult(id: string, measured: Measured, json: boolean): void {
  const { metrics, goal } = measured;
  const met = isMet(measured);
  for (const [name, figure] of Object.entries(metrics)) {
    const limit = goal[name];
    const bound = limit === undefined ? '' : `   (goal ${measured.atLeast?.includes(name) ? '≥' : '≤'} ${[limit].flat().join(' / ')})`;
    console.log(`  ${name.padEnd(32)} ${[figure].flat().join(' / ')}${bound}`);
  }
  console.log(`${met ? 'goals met' : 'goals not met'}, load ${load()}`);
  if (json) console.log(JSON.stringify({ id, metrics, goal, met, load: load(), commit: commit() }));
}
