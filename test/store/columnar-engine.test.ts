/** The columnar engine passes the suite of every engine, also where each series is so fast that its samples fill many blocks. */
import { ColumnarEngine } from '../../src/store/engine/columnar.ts';
import { telemetryContract } from './contract.ts';

const blocks = { 'columnar engine': {}, 'columnar engine with blocks of three samples': { maxBlockSamples: 3 } };

for (const [name, options] of Object.entries(blocks)) {
  telemetryContract(
    name,
    (dir, clock) =>
      new ColumnarEngine({
        ...options,
        dir,
        clock,
        report: (what, error) => {
          throw new Error(`damage reported: ${what}`, { cause: error });
        },
      }),
  );
}
