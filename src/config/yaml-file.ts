/** A YAML 1.2 file as plain values, with the line and column that every value and key came from. */
import { createHash } from 'node:crypto';
import { Composer, type CST, Lexer, LineCounter, Parser, type YAMLError } from 'yaml';
import { fileFault, type Outcome, type Path, type Position } from './fault.ts';
import { ownMessage, readTextFile } from './text-file.ts';
import { indexNodes } from './yaml-nodes.ts';

const MAX_BYTES = 8 * 1024 * 1024; // 50,000 tags with all their keys are about 6 MiB
/** Nothing in the schema is deeper than 10 levels; the rest is left to `metadata`. */
export const MAX_DEPTH = 64;
const MAX_OPEN = 2 * MAX_DEPTH; // collections open at a time; a mapping in a list is two
const MAX_ALIASES = 100; // the parser's own default: enough to share settings, too little for a billion laughs

export interface YamlFile {
  readonly file: string;
  /** Permission bits of the file. */
  readonly mode: number;
  /** SHA-256 of its text, hexadecimal. */
  readonly sha256: string;
  readonly value: unknown;
  /** Where the value at `path` starts; of a missing one, its nearest parent. */
  valueAt(path: Path): Position;
  /** Where the last key of `path` starts; of a missing one, its nearest parent. */
  keyAt(path: Path): Position;
}

/** Reads and parses; never throws for what is in the file. */
export function readYaml(file: string): Outcome<YamlFile> {
  try {
    const { text, mode } = readTextFile(file, MAX_BYTES);
    return parseYaml(text, file, mode);
  } catch (error) {
    return { ok: false, faults: [fileFault(file, `the file cannot be read: ${ownMessage(error)}`)] };
  }
}

/** `mode` are the permission bits of the file that the text came from. */
export function parseYaml(text: string, file: string, mode: number): Outcome<YamlFile> {
  const lines = new LineCounter();
  try {
    const composer = new Composer({
      prettyErrors: false, // ours show no piece of the file, which may hold secrets
      schema: 'core',
      resolveKnownTags: false,
      stringKeys: true,
      uniqueKeys: false, // the composer compares each key with every other; `indexNodes` does it by a set
    });
    const [document, second] = composer.compose(tokensOf(text, lines), true, text.length);
    if (!document) return { ok: false, faults: [fileFault(file, 'the file is empty')] };
    if (second) {
      const message = 'the file holds more than one document; only one is allowed';
      return { ok: false, faults: [{ file, ...position(lines, second.range[0]), path: '', message }] };
    }
    const errors = [...document.errors, ...document.warnings];
    const nodes = errors.length > 0 ? undefined : indexNodes(document);
    const complaints = nodes ? nodes.complaints : errors.map((error) => ({ offset: error.pos[0], message: syntaxMessage(error) }));
    if (!nodes || complaints.length > 0) {
      return { ok: false, faults: complaints.map(({ offset, message }) => ({ file, ...position(lines, offset), path: '', message })) };
    }
    const at = (offset: number): Position => position(lines, offset);
    return {
      ok: true,
      value: {
        file,
        mode,
        sha256: createHash('sha256').update(text).digest('hex'),
        value: document.toJS({ maxAliasCount: MAX_ALIASES }),
        valueAt: (path) => at(nodes.locate(path).value),
        keyAt: (path) => at(nodes.locate(path).key),
      },
    };
  } catch (error) {
    return { ok: false, faults: [fileFault(file, limitMessage(error))] };
  }
}

/**
 * The parser's tokens, up to a depth. The parser itself uses no stack, but the composer behind it does, and a regular
 * expression that V8 compiles at the end of the stack ends the process rather than throws.
 */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token, void, undefined> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_OPEN) throw new RangeError('nested too deeply');
  }
  yield* parser.end();
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function syntaxMessage(error: YAMLError): string {
  if (error.code === 'TAB_AS_INDENT') return 'a tab is used for indentation; YAML takes spaces only';
  if (error.code === 'TAG_RESOLVE_FAILED') return 'tags such as !name are not used in this file';
  return `not valid YAML: ${error.message.replace(/(?<=\w): [\s\S]*$/, '')}`; // what follows the colon is a piece of the file
}

/** What the parser throws, rather than reports, when a document is made to exhaust it. */
function limitMessage(error: unknown): string {
  if (error instanceof RangeError) return `values are nested deeper than ${MAX_DEPTH} levels`;
  if (error instanceof ReferenceError)
    return `aliases (*name) multiply the file: together they stand for more than ${MAX_ALIASES} copies of a value`;
  throw error;
}
