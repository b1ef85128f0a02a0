/** When a twin was last in step: by its sensors, its actuators and its synchronizations. */
import { expect, it } from 'vitest';
import type { UnixMs } from '../../src/core/time.ts';
import { lastSyncMs } from '../../src/twin/last-sync.ts';
import type { LiveReading } from '../../src/twin/twin.ts';
import { twinOf } from '../support/twin.ts';

const TWIN = twinOf({
  id: 'pump',
  sensors: [{ id: 't', name: 'T', unit: '', binding: { asset: 'pump', tag: 't' }, bindingExplicit: false }],
  actuators: [
    { id: 'speed', name: 'Speed', type: 'continuous', binding: { asset: 'm', tag: 'rpm' } },
    { id: 'power', name: 'Power', type: 'binary' },
  ],
});

function lastOf(times: Readonly<Record<string, number | null>>, completedMs: number | null = null): number | null {
  return lastSyncMs(TWIN, completedMs as UnixMs | null, ({ asset, tag }): LiveReading | undefined => {
    const valueMs = times[`${asset}/${tag}`];
    return valueMs === undefined
      ? undefined
      : { value: 1, valueMs: valueMs as UnixMs | null, quality: 'bad', status: 0, newestMs: 1_000 as UnixMs, source: 'plc' };
  });
}

it('is the time of the newest usable sample of any part, or of the last synchronization', () => {
  expect(lastOf({ 'pump/t': 10, 'm/rpm': 20 })).toBe(20);
  expect(lastOf({ 'pump/t': 10, 'pump/power': 30 }, 20)).toBe(30);
  expect(lastOf({ 'pump/t': 10 }, 40)).toBe(40);
});

it('is null before the first, and a lost link is none', () => {
  expect([lastOf({}), lastOf({ 'pump/t': null })]).toEqual([null, null]);
  expect(lastOf({ 'pump/t': null }, 5)).toBe(5);
});
