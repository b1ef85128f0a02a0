/**
 * How long the steps of a store's background work take, by what they do: told from the engine's hook, which names what it reaches.
 * Wall time has the waits for the disk and for other programs in it; CPU time is that of all threads, garbage collection included.
 */
import { systemClock } from '../src/core/clock.ts';
import type { EngineStep } from '../src/store/engine/steps.ts';
import { cpuUs, quantile } from './result.ts';

/** What goes on between two places of the hook, where the places alone do not tell it. */
const BETWEEN: Readonly<Partial<Record<EngineStep, string>>> = {
  commit: 'store.db commit',
  checkpoint: 'store.db checkpoint',
  release: 'log release',
  'file:written': 'day file fsync',
  'file:synced': 'day file rename',
  'file:renamed': 'day file fsync of its folder',
  discard: 'unlink',
};

interface Times {
  readonly wallMs: number[];
  readonly cpuMs: number[];
}

interface Row {
  readonly kind: string;
  readonly count: number;
  readonly wall: string;
  readonly cpu: string;
  readonly longestMs: number;
}

export class StepTimes {
  /** Of whole steps, wall time. */
  longestMs = 0;
  readonly #times = new Map<string, Times>();
  #isSealing = false;
  #start: Moment = now();
  #lastAt: Moment = now();
  #last: readonly [EngineStep, string] | undefined;

  /** For the engine's options. */
  readonly hook = (step: EngineStep, what: string): void => {
    const between = this.#last && BETWEEN[this.#last[0]];
    const kind = between ? `${between}${step === 'committed' ? `: ${what}` : ''}` : `until ${step}: ${what}`;
    this.#add(`  ${kind}`, this.#lastAt);
    if (step === 'frozen') this.#isSealing = true;
    if (step === 'committed' && what === 'sealing windows') this.#isSealing = false;
    this.#last = [step, what];
    this.#lastAt = now();
  };

  begin(): void {
    this.#last = undefined;
    this.#start = now();
    this.#lastAt = this.#start;
  }

  end(): void {
    const kind = this.#last ? `up to ${this.#last.join(': ')}` : this.#isSealing ? 'encoding of chunks' : 'work on a day, or none';
    this.longestMs = Math.max(this.longestMs, this.#add(kind, this.#start));
  }

  /** Whole steps first, then what they are made of. */
  print(): void {
    const rows = [...this.#times].map(([kind, { wallMs, cpuMs }]) => rowOf(kind, wallMs, cpuMs));
    const isInner = ({ kind }: Row) => (kind.startsWith(' ') ? 1 : 0);
    for (const { kind, count, wall, cpu } of rows.sort((a, b) => isInner(a) - isInner(b) || b.longestMs - a.longestMs))
      console.log(`  ${kind.padEnd(46)} ${String(count).padStart(7)} × p50 / p99 / longest, ms: wall ${wall}, CPU ${cpu}`);
  }

  /** Returns the wall time since `from`. */
  #add(kind: string, from: Moment): number {
    const to = now();
    const known = this.#times.get(kind) ?? { wallMs: [], cpuMs: [] };
    this.#times.set(kind, known);
    known.wallMs.push(to.wallMs - from.wallMs);
    known.cpuMs.push(to.cpuMs - from.cpuMs);
    return to.wallMs - from.wallMs;
  }
}

interface Moment {
  readonly wallMs: number;
  readonly cpuMs: number;
}

function now(): Moment {
  return { wallMs: systemClock.monotonicMs(), cpuMs: cpuUs() / 1000 };
}

function rowOf(kind: string, wallMs: readonly number[], cpuMs: readonly number[]): Row {
  const print = (times: readonly number[]) => [0.5, 0.99, 1].map((share) => quantile(times, share).toFixed(2)).join(' / ');
  return { kind, count: wallMs.length, wall: print(wallMs), cpu: print(cpuMs), longestMs: quantile(wallMs, 1) };
}
