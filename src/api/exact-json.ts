/** What JSON text says and its parsed value does not: numbers that lose digits or become infinite, and text that is none. */
import { type Detail, invalid, MAX_DETAILS } from './problem.ts';

/**
 * Only where one of these stands can there be such a thing: 16 digits before the point, 200 zeros after it, an exponent of three digits, half a
 * surrogate pair by its escape. What has none of them and is not zero lies between 1e-300 and 1e115. The many digits of a usual fraction are none
 * of these: looking at each token of 5,000 points takes nine times as long as parsing them.
 */
const SUSPECT = /(?<![.\d])\d{16}|\.0{200}|\d[eE][+-]?\d{3}|\\u[dD][89a-fA-F]/;

/**
 * Throws `validation_error` naming each number that would not be kept as it was sent (an integer that loses digits, one that is beyond the largest
 * double or so small that nothing is left of it) and each text that holds half a surrogate pair. A fraction is taken as the nearest double, as
 * everywhere. `text` must be valid JSON.
 */
export function requireExact(text: string): void {
  if (!SUSPECT.test(text)) return;
  const details = new Scan(text).faults();
  if (details.length > 0) throw invalid(details);
}

/** The text is valid, so that no more need be known of it. Of a text only its beginning: a pattern over a megabyte may not fit the engine's stack. */
const TOKEN = /"|-?\d[\d.eE+-]*|[{}[\],:]/g;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Where the scan is: in an object, at the member `key`, or in an array, at the element `index`. */
interface Level {
  readonly isArray: boolean;
  index: number;
  key: string;
  isKeyNext: boolean;
}

class Scan {
  readonly #text: string;
  readonly #levels: Level[] = [];
  readonly #details: Detail[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  faults(): readonly Detail[] {
    let from = 0;
    while (this.#details.length < MAX_DETAILS) {
      TOKEN.lastIndex = from;
      const found = TOKEN.exec(this.#text);
      if (!found) break;
      from = found[0] === '"' ? this.#endOfText(found.index) : TOKEN.lastIndex;
      this.#take(this.#text.slice(found.index, from));
    }
    return this.#details;
  }

  /** Behind the closing quote of the text that begins at `start`. */
  #endOfText(start: number): number {
    let index = start + 1;
    for (let unit = this.#text.charCodeAt(index); unit !== QUOTE; unit = this.#text.charCodeAt(index)) index += unit === BACKSLASH ? 2 : 1;
    return index + 1;
  }

  #take(token: string): void {
    const level = this.#levels.at(-1);
    switch (token[0]) {
      case '{':
      case '[':
        this.#levels.push({ isArray: token === '[', index: 0, key: '', isKeyNext: token === '{' });
        break;
      case '}':
      case ']':
        this.#levels.pop();
        break;
      case ',':
        if (level) {
          level.index++;
          level.isKeyNext = !level.isArray;
        }
        break;
      case ':':
        if (level) level.isKeyNext = false;
        break;
      case '"':
        this.#takeText(token, level);
        break;
      default:
        if (!isKept(token)) this.#fault('is a number that cannot be kept as it was sent; large integers may be sent as text');
    }
  }

  #takeText(token: string, level: Level | undefined): void {
    const isKey = level?.isKeyNext === true;
    if (!isKey && !token.includes('\\u')) return;
    const text: string = JSON.parse(token);
    if (isKey) level.key = text.replace(/\p{Cs}/gu, '\ufffd');
    if (/\p{Cs}/u.test(text)) this.#fault('must not hold half a surrogate pair');
  }

  #fault(message: string): void {
    const field = this.#levels.map(({ isArray, index, key }) => (isArray ? index : key)).join('.');
    this.#details.push({ field: field || 'body', message });
  }
}

/** -0 becomes 0, which is equal. */
function isKept(token: string): boolean {
  const number = Number(token);
  if (!Number.isFinite(number)) return false;
  if (number === 0) return !/[1-9]/.test(token.replace(/[eE].*/, ''));
  if (Number.isSafeInteger(number) || /[.eE]/.test(token)) return true;
  return String(number) === token || BigInt(token) === BigInt(number);
}
