/** The points of an ingest body: the check by hand and the schema that the API's description shows must be one. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ingestSchema, type Point, pointsOf } from '../../../src/api/edge/telemetry-points.ts';
import { ApiError, type Detail } from '../../../src/api/problem.ts';
import { validate } from '../../../src/api/validate.ts';
import { Turns } from '../../../src/core/turns.ts';

/** Every look at the clock finds it later: all turns are over at once. */
const hurried = () => {
  let nowMs = 0;
  return new Turns({ monotonicMs: () => (nowMs += 10) });
};

const oneOf = fc.constantFrom;
const asset = fc.oneof(
  { weight: 8, arbitrary: oneOf('Pump_001', 'a', 'A.b:c-d_e') },
  oneOf('', '.a', 'ä', 'a b', 'x'.repeat(129), 7, null),
);
const tag = fc.oneof(
  { weight: 8, arbitrary: oneOf('t', 'zähler 1', '😀') },
  oneOf('', 'a\nb', '\ud800', '\u2028', 'x'.repeat(129), '😀'.repeat(128), 7, null),
);
const value = fc.oneof(
  { weight: 8, arbitrary: oneOf<unknown>(0, -1.5, 5e-324, true, false, '', 'läuft', 'x'.repeat(1024)) },
  oneOf<unknown>(null, [], {}, 'x'.repeat(1025), '\udc00', 'a\ud800b'),
);
const timestamp = fc.oneof(
  {
    weight: 6,
    arbitrary: oneOf('2026-01-06T10:00:00Z', '2026-01-06T10:00:00.5+01:00', '2026-01-06', '2024-02-29T23:59:60Z', '0099-01-01T00:00:00Z'),
  },
  oneOf<unknown>('2026-02-29T10:00:00Z', '2026-13-01T10:00:00Z', '', 'now', 1767693600, null, true),
);
const quality = fc.oneof({ weight: 6, arbitrary: oneOf('good', 'uncertain', 'bad') }, oneOf<unknown>('fair', '', 0, null));
const known = fc.record({ asset_id: asset, tag_name: tag, value, timestamp, quality }, { requiredKeys: [] });
const whole = fc.record({ asset_id: asset, tag_name: tag, value, timestamp, quality }, { requiredKeys: ['asset_id', 'tag_name', 'value'] });
const stray = fc
  .tuple(whole, oneOf('x', 'body', '__proto__', 'constructor', 'Value'), oneOf<unknown>(1, {}))
  .map(([point, key, extra]) => Object.defineProperty({ ...point }, key, { value: extra, enumerable: true }));
const point = fc.oneof({ weight: 8, arbitrary: whole }, known, stray, oneOf<unknown>(null, 1, 'x', [], {}, [1]));
const body = fc.oneof(
  { weight: 10, arbitrary: fc.record({ data: fc.array(point, { maxLength: 6 }) }) },
  fc.record({ data: fc.array(point, { maxLength: 3 }), more: fc.constant(1) }),
  oneOf<unknown>(null, 1, 'x', [], {}, { data: null }, { data: {} }, { data: 'x' }, { body: 1 }),
);

interface Outcome {
  readonly message?: string;
  readonly details?: readonly Detail[] | undefined;
  readonly points?: readonly object[];
}

function refusalOf(thrown: unknown): Outcome {
  if (!(thrown instanceof ApiError)) throw thrown;
  return { message: thrown.message, details: thrown.details };
}

function bySchema(given: unknown): Outcome {
  try {
    return { points: validate(ingestSchema, given).data };
  } catch (thrown) {
    return refusalOf(thrown);
  }
}

async function byHand(given: unknown): Promise<Outcome> {
  try {
    const { rows, timesMs } = await pointsOf(given, hurried());
    return { points: rows.map((row: Point, index) => (row.timestamp === undefined ? row : { ...row, timestamp: timesMs[index] })) };
  } catch (thrown) {
    return refusalOf(thrown);
  }
}

describe('a body of points', () => {
  it('is taken or refused as its schema says, in the same words', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(body, async (given) => {
        const received: unknown = JSON.parse(JSON.stringify(given));
        const expected = bySchema(received);
        expect(await byHand(received)).toEqual(expected);
        if (expected.points) taken++;
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('has no time where a point names none', async () => {
    const { timesMs } = await pointsOf({ data: [{ asset_id: 'a', tag_name: 't', value: 1 }] }, hurried());
    expect([...timesMs]).toEqual([Number.NaN]);
  });

  it('lets others have their turn while it is checked', async () => {
    const data = Array.from({ length: 5_000 }, () => ({ asset_id: 'a', tag_name: 't', value: 1 }));
    let others = 0;
    let checking = true;
    const count = () => {
      others++;
      if (checking) setImmediate(count);
    };
    setImmediate(count);
    await pointsOf({ data }, hurried());
    checking = false;
    expect(others).toBeGreaterThan(50);
  });
});
