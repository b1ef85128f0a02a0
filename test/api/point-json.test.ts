/** Rows that are written by hand say to the letter what JSON.stringify would. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openPointJson, type PointRow } from '../../src/api/point-json.ts';
import { renderScalar } from '../../src/api/values.ts';
import { toIso } from '../../src/core/time.ts';

const names = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('pump-101', 'Halle 3/Öl', 'a"b', 'a\\b', '\u2028', '\ud800'),
);
const values = fc.oneof(
  fc.double(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.boolean(),
  fc.constantFrom(null, -0, 1e21, 5e-324, 0.1 + 0.2),
  names,
);
const rows: fc.Arbitrary<PointRow> = fc.record({
  timestamp: fc.integer({ min: 0, max: 4_000_000_000_000 }).map(toIso),
  asset: names,
  tag: names,
  value: values.map(renderScalar),
  quality: fc.constantFrom('good', 'uncertain', 'bad'),
  source: names,
});

describe('openPointJson', () => {
  it('writes what JSON.stringify writes, whatever names and values are', () => {
    fc.assert(
      fc.property(rows, (row) => {
        const { timestamp, asset, tag, value, quality, source } = row;
        const plain = { timestamp, asset_id: asset, tag_name: tag, value, quality, data_source_id: source };
        expect(`${openPointJson(row)}}`).toBe(JSON.stringify(plain));
      }),
      { numRuns: 2_000 },
    );
  });
});
