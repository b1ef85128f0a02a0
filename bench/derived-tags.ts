/** Derived tags: what one evaluation costs, and one reading with all that follows of it until the result is at the door. */
import { GOOD } from '../src/core/status.ts';
import type { UnixMs } from '../src/core/time.ts';
import { Calculation } from '../src/drivers/derived/calculation.ts';
import { compileExpression, type Operand } from '../src/drivers/derived/expression.ts';
import { type Benchmark, cpuUs, median, round } from './result.ts';

const TEXT = '(supply_temp - return_temp) * flow * 1.163';
const EVALUATIONS = 500_000;
const ROUNDS = 7;

/** CPU nanoseconds for one of `EVALUATIONS`, the median of a few rounds. */
function nanoseconds(act: (index: number) => void): number {
  const figures = Array.from({ length: ROUNDS }, () => {
    const before = cpuUs();
    for (let index = 0; index < EVALUATIONS; index++) act(index);
    return ((cpuUs() - before) * 1_000) / EVALUATIONS;
  });
  return round(median(figures), 0);
}

export const benchmark: Benchmark = {
  title: `derived tags: ${TEXT}`,
  run: async () => {
    const expression = compileExpression(TEXT);
    const values = new Map<string, Operand>(expression.names.map((name, index) => [name, index + 0.5]));
    let sum = 0;
    const evaluation = nanoseconds((index) => {
      values.set('flow', index);
      sum += Number(expression.evaluate(values));
    });
    const calculation = new Calculation(expression);
    for (const input of expression.names.keys()) calculation.hear(input, 0 as UnixMs, 1, GOOD);
    const reading = nanoseconds((index) => {
      calculation.hear(2, index as UnixMs, index, GOOD);
      sum += Number(calculation.take()?.value);
    });
    if (!Number.isFinite(sum)) throw new Error('the expression gave no numbers');
    return { metrics: { ns_per_evaluation: evaluation, ns_per_reading: reading }, goal: {} };
  },
};
