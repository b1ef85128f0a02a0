/** Waits in real time, for tests with real processes. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  /** What is waited for; stands in the error. */
  readonly what: string;
  readonly timeoutMs: number;
  readonly everyMs?: number;
  /** Added to the error: the last lines of a log. */
  readonly explain?: () => string;
}

/** Asks until the answer is not undefined; throws when the time is over. An error of `ask` counts as "not yet". */
export async function eventually<T>(ask: () => Promise<T | undefined> | T | undefined, patience: Patience): Promise<T> {
  const endMs = performance.now() + patience.timeoutMs;
  let failure: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > endMs) {
      const explanation = patience.explain ? `\n${patience.explain()}` : '';
      throw new Error(`${patience.what}: not within ${patience.timeoutMs} ms${explanation}`, { cause: failure });
    }
    await sleep(patience.everyMs ?? 20);
  }
}

/** Prints a measured figure, one line. */
export function figure(line: string): void {
  process.stdout.write(`  figure: ${line}\n`);
}
