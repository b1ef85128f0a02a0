/**
 * What an expression may be made of, checked before filtrex sees it: the list says what is allowed, and everything else is refused. Property
 * access (`x of y`), regular expressions (`~=`) and the deprecated `?:` and `%` of filtrex are not on it.
 */

/** In UTF-16 code units. */
export const MAX_EXPRESSION_LENGTH = 1_024;
const MAX_DEPTH = 32; // of parentheses; nobody can read more, and the parser recurses

const KEYWORDS: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in', 'if', 'then', 'else', 'mod']);

/** How many arguments each function takes. */
const FUNCTIONS: Readonly<Record<string, { readonly min: number; readonly max: number }>> = {
  abs: { min: 1, max: 1 },
  ceil: { min: 1, max: 1 },
  exp: { min: 1, max: 1 },
  floor: { min: 1, max: 1 },
  log: { min: 1, max: 1 },
  log2: { min: 1, max: 1 },
  log10: { min: 1, max: 1 },
  max: { min: 1, max: 32 },
  min: { min: 1, max: 32 },
  pow: { min: 2, max: 2 },
  round: { min: 1, max: 1 },
  sqrt: { min: 1, max: 1 },
};

/** Why an expression is refused, for the person who wrote it. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}

const TOKEN =
  /(?<space>[ \t\r\n]+)|(?<number>[0-9]+(?:\.[0-9]+)?(?![0-9.A-Za-z_$]))|(?<word>[A-Za-z_][A-Za-z0-9_]*(?![.$]))|(?<quoted>'(?:\\'|\\\\|[^'\\])*')|(?<text>"(?:\\"|\\\\|[^"\\])*")|(?<operator>==|!=|>=|<=|[-+*/^(),<>])/y;

interface Frame {
  /** The function whose arguments these are; undefined for a pair of parentheses. */
  readonly call: string | undefined;
  commas: number;
  empty: boolean;
}

export interface Checked {
  /** Of the values that the expression asks for, in their order. */
  readonly names: readonly string[];
  /** The same with a space between all parts: filtrex takes the character behind a keyword for a part of it, as in `not(a)`. */
  readonly spaced: string;
}

/** Throws ExpressionError. */
export function checkTokens(expression: string, constants: ReadonlySet<string>): Checked {
  if (expression.length > MAX_EXPRESSION_LENGTH) throw new ExpressionError(`is longer than ${MAX_EXPRESSION_LENGTH} characters`);
  const names = new Set<string>();
  const frames: Frame[] = [];
  const parts: string[] = [];
  /** The word before, which is a name unless a parenthesis follows. */
  let word: string | undefined;
  const settle = () => {
    if (word === 'of') throw new ExpressionError('asks for a part of a value ("of"); write a tag of this name in single quotes');
    if (word !== undefined && !constants.has(word)) names.add(word);
  };
  for (const { kind, text } of tokensOf(expression)) {
    parts.push(text);
    if (text !== '(') settle();
    const frame = frames.at(-1);
    if (frame && text !== ')') frame.empty = false;
    if (kind === 'quoted') names.add(text.slice(1, -1).replaceAll(/\\(.)/g, '$1'));
    else if (text === '(') open(frames, word);
    else if (text === ')') close(frames);
    else if (text === ',' && frame) frame.commas++;
    word = kind === 'word' && !KEYWORDS.has(text) ? text : undefined;
  }
  settle();
  if (frames.length > 0) throw new ExpressionError('has a parenthesis that is not closed');
  if (names.size === 0) throw new ExpressionError('names no tag to compute from');
  return { names: [...names], spaced: parts.join(' ') };
}

function open(frames: Frame[], call: string | undefined): void {
  if (call !== undefined && !Object.hasOwn(FUNCTIONS, call))
    throw new ExpressionError(`calls "${call}", which is none of the functions ${Object.keys(FUNCTIONS).join(', ')}`);
  frames.push({ call, commas: 0, empty: true });
  if (frames.length > MAX_DEPTH) throw new ExpressionError(`is nested deeper than ${MAX_DEPTH} parentheses`);
}

function close(frames: Frame[]): void {
  const frame = frames.pop();
  if (!frame) throw new ExpressionError('closes a parenthesis that is not open');
  if (frame.call === undefined) return;
  const { min, max } = FUNCTIONS[frame.call] as { readonly min: number; readonly max: number };
  const given = frame.empty ? 0 : frame.commas + 1;
  if (given < min || given > max)
    throw new ExpressionError(`gives ${frame.call} ${given} arguments; it takes ${min === max ? min : `${min} to ${max}`}`);
}

interface Token {
  readonly kind: string;
  readonly text: string;
}

function* tokensOf(expression: string): Generator<Token> {
  TOKEN.lastIndex = 0;
  const token = new RegExp(TOKEN);
  while (token.lastIndex < expression.length) {
    const at = token.lastIndex;
    const match = token.exec(expression);
    if (!match) throw new ExpressionError(`cannot be read from "${expression.slice(at, at + 20)}" on`);
    const [kind] = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined) ?? ['space'];
    if (kind !== 'space') yield { kind, text: match[0] };
  }
}
