/** Every reason that a twin can be unwell for, with its code for machines and its sentence for people. */
import { expect, test } from 'vitest';
import type { ErrorCode } from '../../src/core/errors.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { healthOf, REASON_CODES, type ReasonCode, type Surroundings } from '../../src/twin/health.ts';
import type { LiveReading } from '../../src/twin/twin.ts';
import { twinOf } from '../support/twin.ts';

const NOW_MS = Date.UTC(2026, 0, 6) as UnixMs;

const PUMP = twinOf({
  id: 'pump',
  sensors: [
    { id: 't', name: 'Temperature', unit: '°C', minValue: 0, maxValue: 100, binding: { asset: 'pump', tag: 't' }, bindingExplicit: false },
  ],
  actuators: [{ id: 'power', name: 'Power', type: 'binary' }],
});

interface Given {
  readonly reading?: Partial<LiveReading> | undefined;
  readonly isDown?: boolean;
  readonly failure?: ErrorCode;
  readonly sensor?: boolean;
}

function judge({ reading, isDown = false, failure, sensor = true }: Given) {
  const usual: LiveReading = { value: 50, valueMs: NOW_MS, quality: 'good', status: 0, newestMs: NOW_MS, source: 'plc' };
  const surroundings: Surroundings = {
    nowMs: NOW_MS,
    reading: ({ tag }) => (tag === 't' && reading ? { ...usual, ...reading } : undefined),
    periodMs: () => 1_000,
    owner: () => 'plc',
    writeFailure: () => failure ?? null,
    downSource: () => (isDown ? { name: 'Press PLC', state: 'back_off', reason: 'no answer' } : undefined),
  };
  return healthOf(sensor ? PUMP : { ...PUMP, sensors: [] }, surroundings);
}

const CASES: readonly (readonly [ReasonCode, Given, string])[] = [
  ['source_down', { reading: {}, isDown: true }, 'Temperature has no link: Press PLC is back_off (no answer)'],
  ['no_value', { reading: { value: null, valueMs: null } }, 'Temperature has no value yet'],
  ['bad_quality', { reading: { quality: 'bad' } }, 'Temperature reads bad'],
  ['uncertain_quality', { reading: { quality: 'uncertain' } }, 'Temperature is uncertain'],
  ['stale', { reading: { newestMs: (NOW_MS - 31_000) as UnixMs } }, 'Temperature has not reported for 31 s'],
  ['below_minimum', { reading: { value: -1 } }, 'Temperature is below its minimum of 0'],
  ['above_maximum', { reading: { value: 100.5 } }, 'Temperature is above its maximum of 100'],
  [
    'write_failed',
    { reading: {}, failure: 'write_refused' },
    'Power did not take the last write (write_refused): The device refused the write.',
  ],
];

test.each(CASES)('%s has a code for machines and a sentence for people', (code, given, message) => {
  const { reasons, health } = judge(given);
  expect(reasons[0]).toMatchObject({ code, message });
  expect(health).not.toBe('good');
});

test('no reason is without a case', () => {
  expect(CASES.map(([code]) => code).toSorted()).toEqual(REASON_CODES.toSorted());
});

test('a sensor that was never heard of has no value, and one within its limits has no reason', () => {
  expect(judge({}).reasons).toMatchObject([{ code: 'no_value' }]);
  expect(judge({ reading: {} })).toMatchObject({ health: 'good', reasons: [], sensors: { healthy: 1 }, actuators: { operational: 1 } });
});

test('a twin without sensors is unknown, whatever its actuators do', () => {
  expect(judge({ sensor: false, failure: 'timeout' })).toMatchObject({ health: 'unknown', actuators: { error: 1 } });
});
