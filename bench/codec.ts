/** Size and speed of the store's block codec on the reference plant: `npx tsx bench/codec.ts [seconds a block] [tags]`. */
import { loadavg } from 'node:os';
import { Block, encodeBlock } from '../src/store/engine/codec/block.ts';
import { decodeTimesInto, encodeTimes } from '../src/store/engine/codec/times.ts';
import { type ReferenceSeries, referenceSeries } from './reference-data.ts';

const SECONDS = 3600;
const ROUNDS = 15;

interface Part extends ReferenceSeries {
  readonly blob: Uint8Array;
  readonly timesBlob: Uint8Array;
}

/** CPU seconds of this process that `work` takes, the least of a few rounds: the first ones warm the compiler up. */
function cpuSeconds(work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1e6);
  }
  return least;
}

function cut(series: ReferenceSeries, blockSeconds: number): ReferenceSeries[] {
  const start = Math.floor((series.timesMs[0] as number) / 3_600_000) * 3_600_000;
  const parts: ReferenceSeries[] = [];
  let from = 0;
  for (let block = 1; from < series.timesMs.length; block++) {
    let to = from;
    while (to < series.timesMs.length && (series.timesMs[to] as number) < start + block * blockSeconds * 1000) to++;
    const columns = {
      timesMs: series.timesMs.slice(from, to),
      numbers: series.numbers.slice(from, to),
      status: series.status.slice(from, to),
    };
    if (to > from) parts.push({ ...series, ...columns });
    from = to;
  }
  return parts;
}

function encode(part: ReferenceSeries, hinted: boolean): Uint8Array {
  const { numbers, status, scale, offset } = part;
  const valueType = part.signal.endsWith('f32') ? 'f32' : part.signal === 'switch' ? 'bool' : 'f64';
  const hint = hinted && scale !== undefined && offset !== undefined ? { scale, offset } : undefined;
  return encodeBlock({ valueType, numbers, status }, { hint });
}

function report(series: readonly ReferenceSeries[], blockSeconds: number): void {
  const parts = series.flatMap((one) => cut(one, blockSeconds));
  const samples = parts.reduce((sum, { numbers }) => sum + numbers.length, 0);
  const perSample = (bytes: number): string => (bytes / samples).toFixed(4);
  const size = (blobs: Iterable<Uint8Array>): number => [...blobs].reduce((sum, blob) => sum + blob.length, 0);
  const coded: Part[] = parts.map((part) => ({ ...part, blob: encode(part, true), timesBlob: encodeTimes(part.timesMs) }));
  const unhinted = size(parts.map((part) => encode(part, false)));
  const shared = size(new Map(coded.map(({ timesBlob }) => [Buffer.from(timesBlob).toString('latin1'), timesBlob])).values());
  const values = size(coded.map(({ blob }) => blob));
  console.log(`\n${blockSeconds} s a block: ${samples} samples in ${parts.length} blocks`);
  console.log(
    `  bytes/sample: values ${perSample(values)} (without hints ${perSample(unhinted)}), times own ${perSample(size(coded.map(({ timesBlob }) => timesBlob)))} shared ${perSample(shared)}`,
  );
  console.log(`  bytes/sample in all: ${perSample(values + shared)}, without hints ${perSample(unhinted + shared)}`);
  for (const signal of new Set(parts.map((part) => part.signal))) {
    const own = coded.filter((part) => part.signal === signal);
    const count = own.reduce((sum, { numbers }) => sum + numbers.length, 0);
    const blobs = own.map(({ blob }) => blob);
    const out = new Float64Array(SECONDS + 100);
    const encodeNs = cpuSeconds(() => own.forEach((part) => void encode(part, true))) / count;
    const decodeNs = cpuSeconds(() => blobs.forEach((blob) => void new Block(blob).numbersInto(out))) / count;
    console.log(
      `  ${signal.padEnd(16)} ${(size(blobs) / count).toFixed(4)} B  encode ${(encodeNs * 1e9).toFixed(1)} ns  decode ${(decodeNs * 1e9).toFixed(1)} ns`,
    );
  }
  const out = new Float64Array(SECONDS + 100);
  const speed = (work: (part: Part) => void): string => (samples / cpuSeconds(() => coded.forEach(work)) / 1e6).toFixed(1);
  console.log(
    `  M/s of CPU time: encode ${speed((part) => void encode(part, true))}, decode ${speed(({ blob }) => new Block(blob).numbersInto(out))}, encode times ${speed(({ timesMs }) => void encodeTimes(timesMs))}, decode times ${speed(({ timesBlob, timesMs }) => decodeTimesInto(timesBlob, timesMs.length, out))}`,
  );
}

const [blockSeconds, tags] = process.argv.slice(2).map(Number);
console.log(`node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`);
const series = referenceSeries({ tags: tags ?? 1000, seconds: SECONDS });
for (const seconds of blockSeconds ? [blockSeconds] : [3600, 900]) report(series, seconds);
console.log(`load ${loadavg()[0]?.toFixed(1)}`);
