/** Long runs of the codec's fuzz test: `npx tsx scripts/fuzz-codec.ts [values] [seed]`. Exit code 1 when anything came back changed. */
import { fuzzNumbers } from '../test/store/engine/codec/fuzz-blocks.ts';

const SLICE = 2_000_000;

const [values = 20_000_000, firstSeed = 1] = process.argv.slice(2).map(Number);
const mismatches: string[] = [];
let [done, bytes] = [0, 0];
const before = process.cpuUsage();
for (let seed = firstSeed; done < values; seed++) {
  const report = fuzzNumbers(seed, Math.min(SLICE, values - done));
  done += report.values;
  bytes += report.bytes;
  mismatches.push(...report.mismatches);
  const { user, system } = process.cpuUsage(before);
  console.log(
    `${done} values, ${mismatches.length} mismatches, ${(bytes / done).toFixed(2)} bytes a value, ${(done / (user + system) || 0).toFixed(2)} M values/s of CPU time (seed ${seed})`,
  );
}
for (const mismatch of mismatches.slice(0, 20)) console.log(mismatch);
process.exitCode = mismatches.length === 0 ? 0 : 1;
