/** The columnar engine passes the suite of every engine. */
import { ColumnarEngine } from '../../src/store/engine/columnar.ts';
import { telemetryContract } from './contract.ts';

telemetryContract(
  'columnar engine',
  (dir, clock) =>
    new ColumnarEngine({
      dir,
      clock,
      report: (what, error) => {
        throw new Error(`damage reported: ${what}`, { cause: error });
      },
    }),
);
