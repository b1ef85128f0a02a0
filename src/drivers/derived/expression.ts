/** Expressions over tags: compiled once by filtrex, evaluated on values that are numbers, booleans or text and never anything else. */
import { compileExpression as compileFiltrex } from 'filtrex';
import { checkTokens, ExpressionError } from './tokens.ts';

/** What an input can be: 64-bit integers come as numbers, exact to 2^53. */
export type Operand = number | boolean | string;

export interface Expression {
  /** Of the values that it asks for. */
  readonly names: readonly string[];
  /** `values` has one for each name. An Error, which is not thrown, where the types do not fit. May be NaN or infinite. */
  evaluate(values: ReadonlyMap<string, Operand>): Operand | Error;
}

const CONSTANTS = { true: true, false: false, pi: Math.PI };
const CONSTANT_NAMES: ReadonlySet<string> = new Set(Object.keys(CONSTANTS));

/** Math's functions take text for numbers; here it is a mistake that is told. */
function numeric(act: (...numbers: number[]) => number) {
  return (...operands: unknown[]) => act(...operands.map(number));
}

function number(operand: unknown): number {
  if (typeof operand === 'number') return operand;
  throw new TypeError(`expected a number, got ${shown(operand)}`);
}

function shown(operand: unknown): string {
  if (typeof operand === 'string') return 'text';
  return Array.isArray(operand) ? 'a list' : String(operand);
}

function same(left: unknown, right: unknown): boolean {
  if (typeof left === typeof right) return left === right;
  throw new TypeError(`${shown(left)} is compared with ${shown(right)}`);
}

const OPTIONS = {
  constants: CONSTANTS,
  extraFunctions: {
    abs: numeric(Math.abs),
    ceil: numeric(Math.ceil),
    exp: numeric(Math.exp),
    floor: numeric(Math.floor),
    log: numeric(Math.log),
    log2: numeric(Math.log2),
    log10: numeric(Math.log10),
    max: numeric(Math.max),
    min: numeric(Math.min),
    pow: numeric((base = 0, exponent = 0) => base ** exponent),
    round: numeric(Math.round),
    sqrt: numeric(Math.sqrt),
  },
  operators: {
    '+': (left: unknown, right: unknown) => number(left) + number(right), // filtrex would join text
    '==': same,
    '!=': (left: unknown, right: unknown) => !same(left, right),
  },
  /** A Map has no prototype that a name could reach. */
  customProp: (name: string, _get: unknown, values: ReadonlyMap<string, Operand>) => values.get(name),
};

/** What a valid expression asks for, without compiling it. */
export function namesIn(expression: string): readonly string[] {
  return checkTokens(expression, CONSTANT_NAMES).names;
}

/** Throws ExpressionError, whose message reads on after "the expression". */
export function compileExpression(expression: string): Expression {
  const { names, spaced } = checkTokens(expression, CONSTANT_NAMES);
  let evaluate: (values: unknown) => unknown;
  try {
    evaluate = compileFiltrex(spaced, OPTIONS);
  } catch (error) {
    throw new ExpressionError(`cannot be read: ${reasonOf(error)}`);
  }
  return {
    names,
    evaluate: (values) => {
      const result = evaluate(values);
      if (typeof result === 'number' || typeof result === 'boolean' || typeof result === 'string') return result;
      return result instanceof Error ? result : new TypeError(`the result is ${shown(result)}`);
    },
  };
}

/** The parser draws a picture of the place and lists all that it would have liked there; what it got is enough. */
function reasonOf(error: unknown): string {
  const got = error instanceof Error ? /, got '([^']*)'\s*$/.exec(error.message)?.[1] : undefined;
  if (got === undefined) return 'its parts do not fit together';
  return got === 'EndOfExpression' ? 'it ends too early' : `there is a ${got} where none can be`;
}
