/** The sensors that follow from an asset's tags: ids that never clash, found without a search among all of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SeriesDef } from '../../src/core/tag.ts';
import { withTagSensors } from '../../src/twin/tag-sensors.ts';
import type { Sensor } from '../../src/twin/twin.ts';
import { twinOf } from '../support/twin.ts';

function tags(names: readonly string[]): ReadonlyMap<string, SeriesDef> {
  const key = { tenant: 'default', source: 'plc', asset: 'pump', valueType: 'f64', generation: 0 } as const;
  return new Map(names.map((tag) => [tag, { ...key, tag }]));
}

function own(id: string): Sensor {
  return { id, name: id, unit: '', binding: { asset: 'other', tag: id }, bindingExplicit: true };
}

/** Tries each number from 2 on. */
function plainIds(names: readonly string[], taken: Set<string>): string[] {
  return names.map((name) => {
    const base = name
      .replaceAll(/[^A-Za-z0-9._:-]/gu, '_')
      .replace(/^[^A-Za-z0-9]/, '0')
      .slice(0, 128);
    let id = base;
    for (let number = 2; taken.has(id); number++) id = `${base.slice(0, 120)}-${number}`;
    taken.add(id);
    return id;
  });
}

describe('the ids of sensors of tags', () => {
  it('are those that a search from 2 on would find', () => {
    const stem = 'a'.repeat(120);
    const name = fc.oneof(
      fc.constantFrom('°', '°°', 'b', 'b-2', 'b-3', '0_', '0_-2', `${stem}x`, `${stem}y°`, `${stem}x°`, `${stem}-2`),
      fc.string({ unit: fc.constantFrom('°', '_', '0', '-', '2'), minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 30 }),
        fc.uniqueArray(fc.constantFrom('0_', '0_-2', 'b', 'b-4'), { maxLength: 4 }),
        (names, taken) => {
          const shown = withTagSensors(twinOf({ id: 'pump', sensors: taken.map(own) }), tags(names)).sensors.slice(taken.length);
          expect(shown.map(({ id }) => id)).toEqual(plainIds(names, new Set(taken)));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are found for thirty thousand tags that sanitise alike', () => {
    const names = Array.from({ length: 30_000 }, (_, n) => String.fromCodePoint(0x4e00 + Math.floor(n / 200), 0x5000 + (n % 200)));
    const { sensors } = withTagSensors(twinOf({ id: 'pump' }), tags(names));
    expect([sensors.length, new Set(sensors.map(({ id }) => id)).size, sensors.at(-1)?.id]).toEqual([30_000, 30_000, '0_-30000']);
  });
});
