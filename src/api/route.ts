/** What a route is: data, so that authorisation is a column of a table and a test can walk it. */
import type { Context } from 'hono';
import type { Scope } from '../core/scope.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A request that authorisation let through. */
export interface Call {
  readonly request: Context['req'];
  /** The one tenant whose data this call may see. */
  readonly tenant: string;
}

export interface Answer {
  readonly status: number;
  /** Plain JSON; undefined for an answer without a body, or with `content` instead. */
  readonly body: unknown;
  /** What is no JSON, or is JSON text already. */
  readonly content?: { readonly type: string; readonly data: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export type Handler<Input> = (input: Input) => Answer | Promise<Answer>;

export interface ScopedRoute {
  readonly method: Method;
  readonly path: string;
  readonly scope: Scope;
  readonly handle: Handler<Call>;
}

/** Asks for no token, so it is not told who calls. */
export interface PublicRoute {
  readonly method: 'GET';
  readonly path: string;
  readonly scope: null;
  readonly handle: Handler<void>;
}

export type Route = ScopedRoute | PublicRoute;

export function route(method: Method, path: string, scope: Scope, handle: Handler<Call>): Route {
  return { method, path, scope, handle };
}

export function publicRoute(path: string, handle: Handler<void>): Route {
  return { method: 'GET', path, scope: null, handle };
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}
