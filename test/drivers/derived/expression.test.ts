/** Expressions compute what they say, and reach nothing but the values that they name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileExpression, type Operand } from '../../../src/drivers/derived/expression.ts';

function evaluate(text: string, values: Readonly<Record<string, Operand>> = {}): Operand | Error {
  return compileExpression(text).evaluate(new Map(Object.entries(values)));
}

describe('an expression', () => {
  it.each<[string, Record<string, Operand>, Operand]>([
    ['(supply_temp - return_temp) * flow * 1.163', { supply_temp: 70, return_temp: 50, flow: 2 }, 46.52],
    ['a + b * 2', { a: 1, b: 3 }, 7],
    ['-a ^ 2', { a: 3 }, -9],
    ['a ^ -1', { a: 4 }, 0.25],
    ['a - -b', { a: 1, b: 2 }, 3],
    ['a mod 3', { a: -1 }, 2],
    ['a mod(3)', { a: 7 }, 1],
    ['abs(a) + ceil(a) + floor(a) + round(a)', { a: -1.5 }, 1.5 - 1 - 2 - 1],
    ['min(a, b, 1) + max(a, b)', { a: 2, b: 3 }, 4],
    ['sqrt(a) + pow(a, 2) + exp(0) + log(1) + log2(8) + log10(1000)', { a: 4 }, 2 + 16 + 1 + 0 + 3 + 3],
    ['pi * a', { a: 1 }, Math.PI],
    ['if a > 1 then 2 else 3', { a: 2 }, 2],
    ['if(a > 1 and not(b))then(2)else(3)', { a: 2, b: true }, 3],
    ['1 < a < 3 or b', { a: 5, b: true }, true],
    ['running == true and state == "on"', { running: true, state: 'on' }, true],
    ['state != "on"', { state: 'on' }, false],
    ['state in ("on", "idle")', { state: 'idle' }, true],
    ['a not in (1, 2)', { a: 3 }, true],
    ['if running then "up" else "down"', { running: false }, 'down'],
    ["'motor speed' / '1.x'", { 'motor speed': 6, '1.x': 2 }, 3],
    ["'it\\'s' + 1", { "it's": 1 }, 2],
    ['and_more + iffy + notion', { and_more: 1, iffy: 2, notion: 3 }, 6],
  ])('%s with %j is %j', (text, values, result) => {
    const expression = compileExpression(text);
    expect([...expression.names].sort()).toEqual(Object.keys(values).sort());
    expect(evaluate(text, values)).toBe(result);
  });

  it.each<[string, Record<string, Operand>]>([
    ['a + 1', { a: 'text' }],
    ['a + b', { a: 'x', b: 'y' }],
    ['a * 2', { a: true }],
    ['abs(a)', { a: '5' }],
    ['max(a, 1)', { a: true }],
    ['a > 1', { a: 'b' }],
    ['a == 1', { a: 'b' }],
    ['a == true', { a: 1 }],
    ['not a', { a: 1 }],
    ['if a then 1 else 2', { a: 1 }],
    ['a and true', { a: 'x' }],
    ['(a, 1)', { a: 1 }],
  ])('%s with %j says that the types do not fit', (text, values) => {
    expect(evaluate(text, values)).toBeInstanceOf(Error);
  });

  it.each(['a / 0', '0 / (a - a)', '2 ^ 9 ^ 9 ^ 9 + a', 'sqrt(-a)', 'log(a - a)'])('%s is no finite number, and no error', (text) => {
    expect(Number.isFinite(evaluate(text, { a: 1 }))).toBe(false);
  });
});

describe('an expression is refused', () => {
  it.each([
    ['', 'names no tag'],
    ['1 + 1', 'names no tag'],
    ['a +', 'ends too early'],
    ['a b', 'where none can be'],
    ['(a', 'not closed'],
    ['a)', 'not open'],
    ['abs()', 'it takes 1'],
    ['pow(a)', 'it takes 2'],
    ['random(a)', 'none of the functions'],
    ['exists(a)', 'none of the functions'],
    ['true(a)', 'none of the functions'],
    ['1e5 + a', 'from "1e5'],
    ['0x10 + a', 'from "0x10'],
    ['1..2 + a', 'from "1..2'],
    ['a; b', 'from "; b"'],
    [`${'('.repeat(33)}a${')'.repeat(33)}`, 'deeper than 32'],
    [`a${'+1'.repeat(512)}`, 'longer than 1024'],
  ])('%j', (text, reason) => {
    expect(() => compileExpression(text)).toThrow(reason);
  });
});

describe('the sandbox', () => {
  it.each([
    'a of b',
    'constructor of a',
    '"constructor" of a',
    '__proto__ of a',
    "'constructor' of 'constructor' of a",
    'of',
    'a.constructor',
    'a["constructor"]',
    'a.constructor.constructor("return process")()',
    'constructor("return 1")',
    '__proto__()',
    'toString()',
    'valueOf(a)',
    'call(a)',
    'std(a)',
    'process',
    'a ~= "(x+x+)+y"',
    'a ? 1 : 2',
    'a % 2',
    '`a`',
    'a => a',
    '(function(){})(a)',
    'a = 1',
    '$a',
    '"\\u0041" + a',
    "a'); process.exit(1); ('",
    'a // comment',
    'a /* comment */',
    'a\u2028b',
    'ａ + 1',
  ])('does not let out: %s', (text) => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    let result: unknown;
    try {
      result = evaluate(text, { a: 1, b: 2 });
    } catch (error) {
      expect(error).toMatchObject({ name: 'ExpressionError' });
      return;
    }
    // Names of the language are names of tags like any other: without a value there is no result.
    expect(['process']).toContain(text);
    expect(result).toBeInstanceOf(Error);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
  });

  it('takes names of the language for names of tags', () => {
    const names = ['constructor', '__proto__', 'prototype', 'process', 'toString', 'hasOwnProperty', 'this', 'data', 'prop', 'ops'];
    for (const name of names) {
      expect(compileExpression(`${name} + 1`).evaluate(new Map([[name, 1]]))).toBe(2);
      expect(compileExpression(`'${name}' + 1`).evaluate(new Map([['other', 1]]))).toBeInstanceOf(Error);
    }
  });

  it('answers or refuses anything at all, without a hang and without another kind of error', () => {
    const part = fc.constantFrom(
      ...['a', 'b', '(', ')', '+', '-', '*', '/', '^', ',', '<', '==', 'and', 'or', 'not', 'in', 'if', 'then', 'else', 'mod', 'of'],
      ...['abs', 'max', '1', '2.5', '"x"', "'y z'", ' ', '~=', '?', ':', '%', '.', '$', '\\', '"', "'", '\n', 'true', '__proto__'],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(part, { maxLength: 60 }).map((parts) => parts.join('')),
          fc.string({ unit: 'binary' }),
        ),
        (text) => {
          try {
            compileExpression(text).evaluate(new Map<string, Operand>([['a', 1]]));
          } catch (error) {
            expect(error).toMatchObject({ name: 'ExpressionError' });
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

/** A formula as text for us and as a function for the test. */
interface Formula {
  readonly text: string;
  readonly of: (values: Readonly<Record<string, number>>) => number;
}

const NAMES = ['a', 'b', 'c'] as const;

const { formula } = fc.letrec<{ formula: Formula }>((tie) => ({
  formula: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...NAMES).map((name): Formula => ({ text: name, of: (values) => values[name] as number })),
    fc.nat(1_000).map((tenths): Formula => ({ text: String(tenths / 10), of: () => tenths / 10 })),
    fc.tuple(tie('formula'), fc.constantFrom('+', '-', '*', '/'), tie('formula')).map(([left, sign, right]): Formula => {
      const acts = {
        '+': (x: number, y: number) => x + y,
        '-': (x: number, y: number) => x - y,
        '*': (x: number, y: number) => x * y,
        '/': (x: number, y: number) => x / y,
      };
      return {
        text: `(${left.text} ${sign} ${right.text})`,
        of: (values) => acts[sign as keyof typeof acts](left.of(values), right.of(values)),
      };
    }),
    tie('formula').map((inner): Formula => ({ text: `(-${inner.text})`, of: (values) => -inner.of(values) })),
    tie('formula').map((inner): Formula => ({ text: `abs(${inner.text})`, of: (values) => Math.abs(inner.of(values)) })),
    fc.tuple(tie('formula'), tie('formula')).map(
      ([left, right]): Formula => ({
        text: `max(${left.text}, ${right.text})`,
        of: (values) => Math.max(left.of(values), right.of(values)),
      }),
    ),
    fc.tuple(tie('formula'), tie('formula'), tie('formula')).map(
      ([left, right, other]): Formula => ({
        text: `(if ${left.text} < ${right.text} then ${other.text} else ${left.text})`,
        of: (values) => (left.of(values) < right.of(values) ? other.of(values) : left.of(values)),
      }),
    ),
  ),
}));

describe('any formula', () => {
  it('gives what the same formula gives directly', () => {
    fc.assert(
      fc.property(
        formula,
        fc.record({ a: fc.double({ noNaN: true }), b: fc.double({ noNaN: true }), c: fc.integer() }),
        ({ text, of }, values) => {
          fc.pre(text.length <= 1_000 && /[abc](?![a-z])/.test(text));
          const direct = of(values);
          let result: Operand | Error;
          try {
            result = evaluate(text, values);
          } catch (error) {
            expect((error as Error).message).toContain('deeper'); // the only thing that such a formula may be too much of
            return;
          }
          expect(result).toBe(direct);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
