/** One fuzzed block after the other through the codec and back; shared by the test and the long-run script. */
import { type BlockColumns, decodeBlock, encodeBlock } from '../../../../src/store/engine/codec/block.ts';
import { Habit } from '../../../../src/store/engine/codec/habit.ts';
import { decodeTimes, encodeTimes } from '../../../../src/store/engine/codec/times.ts';
import { blockLength, mixedNumbers, mixedStatuses, mixedTimes, Random, SIGNALS } from './generators.ts';

/** True when both are NaN or both have the same bits. */
function sameNumber(a: number | undefined, b: number | undefined): boolean {
  return Object.is(a, b);
}

/** What differs after a round trip; undefined when nothing does. */
export function difference(before: BlockColumns, after: BlockColumns): string | undefined {
  if (before.valueType !== after.valueType) return `${before.valueType} became ${after.valueType}`;
  for (let i = 0; i < before.status.length; i++)
    if (before.status[i] !== after.status[i]) return `status ${i}: ${before.status[i]} became ${after.status[i]}`;
  if (after.status.length !== before.status.length) return 'another number of samples';
  if ('numbers' in before && 'numbers' in after) {
    for (let i = 0; i < before.numbers.length; i++) {
      if (!sameNumber(before.numbers[i], after.numbers[i])) return `number ${i}: ${before.numbers[i]} became ${after.numbers[i]}`;
    }
  } else if ('integers' in before && 'integers' in after) {
    for (let i = 0; i < before.integers.length; i++) {
      const missing = before.missing?.[i] === 1;
      if (missing !== (after.missing?.[i] === 1)) return `integer ${i} is missing in only one`;
      if (!missing && before.integers[i] !== after.integers[i]) return `integer ${i}: ${before.integers[i]} became ${after.integers[i]}`;
    }
  } else if ('texts' in before && 'texts' in after) {
    for (let i = 0; i < before.texts.length; i++)
      if (before.texts[i] !== after.texts[i]) return `text ${i}: ${before.texts[i]} became ${after.texts[i]}`;
  }
  return undefined;
}

export interface FuzzReport {
  readonly values: number;
  readonly bytes: number;
  readonly blocks: number;
  /** Which block, and what was wrong. */
  readonly mismatches: readonly string[];
}

/** Blocks of numbers with statuses and times until `values` are through. */
export function fuzzNumbers(seed: number, values: number): FuzzReport {
  const random = new Random(seed);
  const names = Object.keys(SIGNALS);
  const mismatches: string[] = [];
  const timesHabit = new Habit();
  const habit = new Habit(); // of all signals alike: what it remembers is often wrong
  let [done, bytes, blocks] = [0, 0, 0];
  while (done < values) {
    const count = blockLength(random);
    const name = random.pick(names);
    const signal = (SIGNALS[name] as (typeof SIGNALS)[string])(random);
    const valueType = random.pick(['f64', 'f32', 'bool'] as const);
    const columns: BlockColumns = { valueType, numbers: mixedNumbers(random, signal, count), status: mixedStatuses(random, count) };
    const blob = encodeBlock(columns, {
      hint: random.unit() < 0.7 ? signal.hint : undefined,
      habit: blocks % 3 === 0 ? undefined : habit,
    });
    const wrong = difference(columns, decodeBlock(blob));
    if (wrong) mismatches.push(`seed ${seed}, block ${blocks} of ${name}: ${wrong}`);
    const times = mixedTimes(random, count);
    const timesBlob = encodeTimes(times, blocks % 3 === 0 ? undefined : timesHabit);
    const again = decodeTimes(timesBlob, count);
    const late = times.findIndex((time, i) => time !== again[i]);
    if (late >= 0) mismatches.push(`seed ${seed}, block ${blocks}: time ${late}: ${times[late]} became ${again[late]}`);
    done += count;
    bytes += blob.length + timesBlob.length;
    blocks++;
  }
  return { values: done, bytes, blocks, mismatches };
}
