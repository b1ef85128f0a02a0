/** What the bytes of a message mean to a tag. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BAD, BAD_DECODING_ERROR, BAD_OUT_OF_RANGE, GOOD, isBad } from '../../../src/core/status.ts';
import { compileJsonPath } from '../../../src/drivers/mqtt/json-path.ts';
import { MAX_JSON_DEPTH, MAX_PAYLOAD_BYTES, Payload, type ReadingRule, readTime } from '../../../src/drivers/mqtt/payload.ts';

const PLAIN: ReadingRule = {
  path: undefined,
  timePath: undefined,
  dataType: undefined,
  scale: undefined,
  offset: undefined,
  min: undefined,
  max: undefined,
};
const at = (path: string, rule: Partial<ReadingRule> = {}): ReadingRule => ({ ...PLAIN, path: compileJsonPath(path), ...rule });
const read = (payload: string | Uint8Array, rule: ReadingRule) => new Payload(Buffer.from(payload)).read(rule);
const value = (payload: string | Uint8Array, rule: ReadingRule) => {
  const outcome = read(payload, rule);
  return typeof outcome === 'object' ? [outcome.value, outcome.status] : outcome;
};

describe('plain payloads', () => {
  test.each([
    ['23.5', 23.5],
    [' -4e3\n', -4000],
    ['true', true],
    ['false', false],
    ['running', 'running'],
    ['0x10', '0x10'],
    ['\uFEFF7', 7],
  ])('%j is read as %j', (text, expected) => expect(value(text, PLAIN)).toEqual([expected, GOOD]));

  test.each(['{"a":1}', ' [1]'])('the document %s is not taken for text', (text) => expect(value(text, PLAIN)).toBe('malformed'));
  test('a document is text where text is asked for', () =>
    expect(value('{"a":1}', { ...PLAIN, dataType: 'string' })).toEqual(['{"a":1}', GOOD]));
  test.each(['', 'nan', 'NaN'])('%j is no good value', (text) => expect(value(text, PLAIN)).toEqual([null, BAD]));
  test('bytes that are no UTF-8 are malformed', () => expect(value(Uint8Array.of(0xc3, 0x28), PLAIN)).toBe('malformed'));
  test('a payload over the limit is malformed', () => expect(value(Buffer.alloc(MAX_PAYLOAD_BYTES + 1, 0x20), PLAIN)).toBe('malformed'));
  test('a text over the limit is too long', () => expect(value('x'.repeat(1025), PLAIN)).toBe('too_long'));
});

describe('types', () => {
  test.each([
    ['number', '"23.5"', 23.5, GOOD],
    ['number', '" 4 "', 4, GOOD],
    ['number', 'true', 1, GOOD],
    ['number', '"unavailable"', null, BAD],
    ['number', '""', null, BAD],
    ['number', '"-inf"', null, BAD],
    ['number', '1e999', null, BAD],
    ['number', 'null', null, BAD],
    ['number', '"12 V"', null, BAD_DECODING_ERROR],
    ['number', '[1]', null, BAD_DECODING_ERROR],
    ['boolean', '"ON"', true, GOOD],
    ['boolean', '0', false, GOOD],
    ['boolean', '"unknown"', null, BAD],
    ['boolean', '7', null, BAD_DECODING_ERROR],
    ['string', '7', '7', GOOD],
    ['string', '{}', null, BAD_DECODING_ERROR],
    [undefined, '"23.5"', '23.5', GOOD],
    [undefined, '""', null, BAD],
    [undefined, '{}', null, BAD_DECODING_ERROR],
  ] as const)('as %s, %s', (dataType, json, expected, status) =>
    expect(value(`{"v":${json}}`, at('$.v', { dataType }))).toEqual([expected, status]),
  );

  test('the valid range is of the scaled value, which the driver leaves to be scaled', () => {
    const rule = at('$.v', { scale: 0.1, offset: -40, min: -40, max: 120 });
    expect(value('{"v":650}', rule)).toEqual([650, GOOD]);
    expect(value('{"v":-1}', rule)).toEqual([null, BAD_OUT_OF_RANGE]);
    expect(value('{"v":1601}', rule)).toEqual([null, BAD_OUT_OF_RANGE]);
  });
});

describe('times', () => {
  test.each([
    ['2026-01-06T10:00:00.250Z', 1_767_693_600_250],
    ['2026-01-06T13:00:00+03:00', 1_767_693_600_000],
    [1_767_693_600, 1_767_693_600_000],
    [1_767_693_600.25, 1_767_693_600_250],
    [1_767_693_600_123, 1_767_693_600_123],
    [1_767_693_600_123_456, 1_767_693_600_123],
    ['1767693600123456789', 1_767_693_600_123],
    ['1767693600', 1_767_693_600_000],
    [null, undefined],
    ['', undefined],
    [undefined, undefined],
    ['soon', 'invalid_time'],
    [true, 'invalid_time'],
    [{}, 'invalid_time'],
    [1e300, 'invalid_time'],
    [Number.POSITIVE_INFINITY, 'invalid_time'],
  ])('%j is %j', (raw, expected) => expect(readTime(raw)).toBe(expected));

  test('any time from 1973 to 5138 reads the same in every unit, to the millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1e11, max: 1e14 - 1 }), (ms) => {
        expect(readTime(ms)).toBe(ms);
        expect(readTime(String(ms))).toBe(ms);
        expect(Math.abs(Number(readTime(ms / 1e3)) - ms)).toBeLessThanOrEqual(1);
        expect(readTime(new Date(ms).toISOString())).toBe(ms);
      }),
    );
  });
});

describe('JSON', () => {
  const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  test('nesting up to the limit is read, deeper is malformed', () => {
    expect(value(nested(MAX_JSON_DEPTH), at('$.x'))).toBeUndefined();
    expect(value(nested(MAX_JSON_DEPTH), at('$..x'))).toBeUndefined();
    expect(value(nested(MAX_JSON_DEPTH + 1), at('$.x'))).toBe('malformed');
  });
  test('brackets inside text do not count', () =>
    expect(value(`{"v":"\\"${'['.repeat(100)}"}`, at('$.v'))).toEqual([`"${'['.repeat(100)}`, GOOD]));

  test('any bytes give a value, nothing, or a reason, and never throw', () => {
    const rules = [
      PLAIN,
      at('$.a', { dataType: 'number', timePath: compileJsonPath('$.t') }),
      at('$..a'),
      at('$.a[-1]', { dataType: 'boolean' }),
    ];
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.string().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(...rules), (payload, rule) => {
        const outcome = new Payload(payload).read(rule);
        if (typeof outcome !== 'object') {
          expect([undefined, 'malformed', 'too_long', 'invalid_time']).toContain(outcome);
          return;
        }
        expect(outcome.value === null).toBe(isBad(outcome.status));
        if (typeof outcome.value === 'number') expect(Number.isFinite(outcome.value)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  test('any JSON value under a key is found again', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer(),
          fc.boolean(),
          fc.stringMatching(/^[a-z]{2,10}$/).filter((text) => text !== 'nan'),
        ),
        (raw) => {
          expect(value(JSON.stringify({ outer: [{ key: raw }] }), at('$.outer[0].key'))).toEqual([raw, GOOD]);
        },
      ),
    );
  });
});
