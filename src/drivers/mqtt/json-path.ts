/** JSON paths (RFC 9535) compiled once; a plain path such as `$.cells[3].voltage` is walked without the query engine. */
import { JSONPathEnvironment, type JSONPathQuery, type JSONValue, jsonpath } from 'json-p3';
import { messageOf } from '../../core/errors.ts';

/** Finds a value in a parsed document; `undefined` when there is none at the path. */
export type JsonPath = (document: unknown) => unknown;

/** Long enough for any real path; a longer one is a mistake. */
const MAX_PATH_LENGTH = 512;

const environment = new JSONPathEnvironment();
// A regular expression from a configuration against text from a network can take for ever.
environment.functionRegister.delete('match');
environment.functionRegister.delete('search');

/**
 * Compiles a path. A path that selects several nodes gives the first, in document order.
 * @throws Error whose message says what is wrong with the path.
 */
export function compileJsonPath(path: string): JsonPath {
  if (path.length > MAX_PATH_LENGTH) throw new Error(`a path has at most ${MAX_PATH_LENGTH} characters`);
  const query = parse(path);
  // Each further `..` multiplies the work by the size of the document.
  if (query.toString().split('..').length > 2) throw new Error('a path may hold ".." only once');
  const steps = plainSteps(query);
  if (steps) return (document) => walk(document, steps);
  return (document) => query.match(document as JSONValue)?.value;
}

function parse(path: string): JSONPathQuery {
  if (path === '') throw new Error('must not be empty'); // the library stumbles over it
  try {
    return environment.compile(path);
  } catch (error) {
    throw new Error(`must be a JSON path (RFC 9535), such as $.data.temperature: ${messageOf(error)}`, { cause: error });
  }
}

/** Names and indexes of a singular query (RFC 9535 §2.3.5.1); `undefined` for any other. */
function plainSteps(query: JSONPathQuery): readonly (string | number)[] | undefined {
  if (!query.singularQuery()) return undefined;
  const steps: (string | number)[] = [];
  for (const segment of query.segments) {
    const [selector] = segment.selectors;
    if (selector instanceof jsonpath.selectors.NameSelector) steps.push(selector.name);
    else if (selector instanceof jsonpath.selectors.IndexSelector) steps.push(selector.index);
    else return undefined;
  }
  return steps;
}

function walk(document: unknown, steps: readonly (string | number)[]): unknown {
  let at = document;
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) return undefined;
    if (typeof step === 'number') {
      if (!Array.isArray(at)) return undefined;
      at = at.at(step);
    } else {
      if (Array.isArray(at) || !Object.hasOwn(at, step)) return undefined;
      at = (at as Record<string, unknown>)[step];
    }
  }
  return at;
}
