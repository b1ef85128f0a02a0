/** The guard of CI: within one run the columnar engine must stay many times cheaper than rows. A ratio, so that any machine will do. */
import { ReferencePlant } from './reference-data.ts';
import { type Benchmark, median, round } from './result.ts';
import { columnarCost, rowsCost } from './store-cost.ts';

const ROUNDS = 3;
/** Half of what is measured on a busy machine, so that only a real loss trips it; the goal is 12. */
const LEAST_TIMES_CHEAPER = 4;
/** Half an hour: two windows to be sealed, and the compiler is warm after the first. */
const SECONDS = 1800;

export const benchmark: Benchmark = {
  title: 'how many times cheaper than rows a sample is, ring to sealed',
  async run() {
    const plant = new ReferencePlant();
    const stretch = plant.next(SECONDS);
    const ratios: number[] = [];
    for (let count = 0; count < ROUNDS; count++) {
      const { sealed } = await columnarCost(plant, stretch, 10);
      ratios.push((await rowsCost(plant, stretch, 10)) / sealed);
    }
    return {
      metrics: { times_cheaper_than_rows: round(median(ratios), 1) },
      goal: { times_cheaper_than_rows: LEAST_TIMES_CHEAPER },
      atLeast: ['times_cheaper_than_rows'],
    };
  },
};
