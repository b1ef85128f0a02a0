/** Arbitrary records of all kinds, the awkward ones more often than life has them. */
import fc from 'fast-check';
import { MAX_INLINE_BYTES } from '../../../../src/core/ring.ts';
import { MAX_SERIES_ID, type SeriesDef } from '../../../../src/core/tag.ts';
import type { Shown } from './shown.ts';

const series = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 6 }) },
  fc.constantFrom(0, 65_537, MAX_SERIES_ID),
  fc.integer({ min: 0, max: MAX_SERIES_ID }),
);
const timeMs = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_300 }) },
  { weight: 2, arbitrary: fc.constant(1_700_000_000_000) },
  fc.constantFrom(0, -1, -62_167_219_200_000, 253_402_300_799_999, 0.5, 2 ** 53, -(2 ** 52), 1e300, Number.POSITIVE_INFINITY),
);
const common = {
  series,
  timeMs,
  status: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    fc.constantFrom(0xffff_ffff, 0x8000_0000),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  ),
  historical: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
};
const decimal = fc.tuple(fc.integer({ min: -5_000_000, max: 5_000_000 }), fc.integer({ min: 0, max: 6 })).map(([m, e]) => m / 10 ** e);
const anyNumber = fc.oneof(
  fc.constantFrom(
    Number.NaN,
    -0,
    0,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.MIN_VALUE,
    Number.MAX_VALUE,
    2 ** 51,
    2 ** 53,
  ),
  fc.double(),
  fc.float(),
  { weight: 3, arbitrary: decimal },
  { weight: 3, arbitrary: decimal.map(Math.fround) },
  fc.maxSafeInteger(),
);
/** Well-formed, as the door passes it, and of 0 to 4096 bytes. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.toWellFormed()),
  fc.nat(MAX_INLINE_BYTES).map((bytes) => 'x'.repeat(bytes)),
  fc.nat(MAX_INLINE_BYTES / 4).map((count) => '😀'.repeat(count)),
  fc.constantFrom('', '\ufeff', '\0', 'y'.repeat(MAX_INLINE_BYTES)),
);
const anyDefinition: fc.Arbitrary<SeriesDef> = fc.record(
  {
    tenant: fc.constantFrom('default', 'plant-2'),
    source: fc.string({ maxLength: 20 }),
    asset: fc.string({ maxLength: 40 }),
    tag: fc.string({ minLength: 1, maxLength: 128 }),
    valueType: fc.constantFrom('f64' as const, 'i64' as const, 'string' as const),
    generation: fc.nat(9),
    unit: fc.constantFrom('°C', '"\\'),
    scale: fc.constantFrom(0.1, -2),
  },
  { requiredKeys: ['tenant', 'source', 'asset', 'tag', 'valueType', 'generation'] },
);
export const anyRecord: fc.Arbitrary<Shown> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ ...common, kind: fc.constant('number' as const), value: anyNumber }) },
  fc.record({ ...common, kind: fc.constant('i64' as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
  fc.record({ ...common, kind: fc.constant('i64' as const), value: fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, -1n, 0n, 5n) }),
  fc.record({ ...common, kind: fc.constant('u64' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ ...common, kind: fc.constant('u64' as const), value: fc.constantFrom(0n, 2n ** 63n, 2n ** 64n - 1n) }),
  fc.record({ ...common, kind: fc.constant('text' as const), value: anyText }),
  fc.record({ series, kind: fc.constant('define' as const), def: anyDefinition }),
);
