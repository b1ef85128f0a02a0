/** A body is kept as it was sent, or refused by the place that would not be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requireExact } from '../../src/api/exact-json.ts';
import { ApiError } from '../../src/api/problem.ts';
import { ApiClient } from '../support/api-client.ts';

function faultsOf(text: string): readonly string[] {
  try {
    requireExact(text);
    return [];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.details?.map(({ field }) => field) ?? [];
  }
}

describe('a number', () => {
  it.each(['1e309', '-1e400', '9007199254740993', '12345678901234567890', '1e-400', '0.0000001e-399'])('%s is refused', (number) => {
    expect(faultsOf(number)).toEqual(['body']);
  });

  it.each([
    ...['9007199254740992', '-9007199254740991', '12345678901234567000', '1180591620717411303424', '100000000000000000000'],
    ...['1e308', '5e-324', '0e400', '-0', '0.00e-999', '0.12345678901234567890', '3.0000000000000000', '1E5', '0'],
  ])('%s is taken', (number) => {
    expect(faultsOf(number)).toEqual([]);
  });

  it('that this language prints is always taken', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(faultsOf(JSON.stringify(value))).toEqual([]);
      }),
    );
  });

  it('is refused wherever its digits, its zeros and its exponent say so, in all their lengths', () => {
    const digits = fc.oneof(
      fc.constantFrom('1', '9007199254740993', '12345678901234567', '0'),
      fc.nat(330).map((count) => `7${'3'.repeat(count)}`),
    );
    const fraction = fc.oneof(
      fc.constant(''),
      fc.nat(340).map((zeros) => `.${'0'.repeat(zeros)}5`),
    );
    const exponent = fc.oneof(
      fc.constantFrom('', 'e0099', 'E+308', 'e-0324'),
      fc.integer({ min: -400, max: 400 }).map((power) => `e${power}`),
    );
    fc.assert(
      fc.property(digits, fraction, exponent, fc.constantFrom('', '-'), (whole, part, power, sign) => {
        const literal = `${sign}${whole}${part}${power}`;
        const number = Number(literal);
        const isLost = number === 0 && /[1-9]/.test(whole + part);
        const isInteger = part === '' && power === '';
        const isOther = isInteger && Number.isFinite(number) && BigInt(number) !== BigInt(literal) && String(number) !== literal;
        expect(faultsOf(`{"a":[${literal}]}`)).toEqual(!Number.isFinite(number) || isLost || isOther ? ['a.0'] : []);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the place', () => {
  it('is told through objects, arrays, and keys that look like anything', () => {
    const text = '{"a":{"x":[1,"2e400",{"n":1e400}],"b":true},"c:,[{\\"":[[],{},1e400],"d":null,"e":-1e999}';
    expect(faultsOf(text)).toEqual(['a.x.2.n', 'c:,[{".2', 'e']);
  });

  it('is that of the one bad number, wherever it stands in any document', () => {
    const key = fc.string().filter((text) => text !== '__proto__');
    const path = fc.array(fc.oneof(key, fc.nat(3)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(path, fc.json(), (steps, beside) => {
        const text = steps.reduceRight<string>(
          (inner, step) =>
            typeof step === 'number'
              ? `[${`${beside},`.repeat(step)}${inner}]`
              : `{"beside":${beside}, ${JSON.stringify(step)} : ${inner}}`,
          '1e400',
        );
        expect(faultsOf(text)).toEqual([steps.join('.') || 'body']);
      }),
    );
  });
});

describe('text', () => {
  it('with half a surrogate pair is refused, a key too, and a whole one taken', () => {
    expect(faultsOf('{"name":"a\\ud800","m":{"k\\uDFFF":1,"ok":"\\ud83d\\ude00"},"b":"\\\\ud800"}')).toEqual(['name', 'm.k\ufffd']);
  });
});

describe('a body', () => {
  it.each([
    ['{"id":"t","name":"T","metadata":{"a":[1e400]}}', 'metadata.a.0'],
    ['{"id":"t","name":"T","metadata":{"serial":12345678901234567890}}', 'metadata.serial'],
    ['{"id":"t","name":"a\\ud800"}', 'name'],
    ['{"id":"t","name":"T","metadata":{"a":"\\udc00"}}', 'metadata.a'],
  ])('%s is refused, and nothing is made', async (raw, field) => {
    const client = new ApiClient();
    const { status, body } = await client.send('/api/twins', { method: 'POST', raw });
    expect([status, body.error.details[0].field]).toEqual([422, field]);
    expect(client.services.allTwins).toEqual([]);
  });

  it('of telemetry is refused by the point', async () => {
    const client = new ApiClient();
    const raw = '{"data":[{"asset_id":"a","tag_name":"t","value":1},{"asset_id":"a","tag_name":"t","value":9007199254740993}]}';
    const { status, body } = await client.send('/v1/telemetry', { method: 'POST', raw });
    expect([status, body.error.details[0].field]).toEqual([400, 'data.1.value']);
    expect(client.services.samples).toEqual([]);
  });
});
