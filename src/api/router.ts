/**
 * Finds the route of a path: one without parameters by a look into a map, all others by one regular expression for each method. Hono's own
 * choice falls back to walking a tree as soon as one path such as `/x/test` stands beside `/x/:id/test`.
 */
import type { Result, Router } from 'hono/router';
import { RegExpRouter } from 'hono/router/reg-exp-router';

/** A path without parameters goes before one with. There is no `*`, and each method and path is added once. */
export class ApiRouter<Handler> implements Router<Handler> {
  readonly name = 'ApiRouter';
  /** By method, then by path. */
  readonly #plain = new Map<string, Map<string, Result<Handler>>>();
  readonly #others = new RegExpRouter<Handler>();

  add(method: string, path: string, handler: Handler): void {
    if (path.includes(':')) {
      this.#others.add(method, path, handler);
      return;
    }
    const paths = this.#plain.get(method) ?? new Map<string, Result<Handler>>();
    this.#plain.set(method, paths.set(path, [[[handler, {}]]]));
  }

  match(method: string, path: string): Result<Handler> {
    return this.#plain.get(method)?.get(path) ?? this.#others.match(method, path);
  }
}
