/** What a route is: data, so that authorisation is a column of a table and a test can walk it. */
import type { Context } from 'hono';
import type { Scope } from '../core/scope.ts';
import type { StoredToken } from '../store/records.ts';
import type { Operation } from './operation.ts';
import type { Soon } from './soon.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A request that authorisation let through. */
export interface Call {
  readonly request: Context['req'];
  /** The one tenant whose data this call may see. */
  readonly tenant: string;
  /** Who calls. */
  readonly token: StoredToken;
  /** As the answer and the log name this call. */
  readonly requestId: string;
}

/** A request of which nothing is known but what it asks. */
export interface PublicCall {
  readonly request: Context['req'];
}

export interface Answer {
  readonly status: number;
  /** Plain JSON; undefined for an answer without a body, or with `content` or `stream` instead. */
  readonly body: unknown;
  /** What is no JSON, or is JSON text already. */
  readonly content?: { readonly type: string; readonly data: string | ByteSource };
  /** What goes on for as long as the client stays. */
  readonly stream?: { readonly type: string; readonly data: ReadableStream<Uint8Array> };
  /** Its ETag stands for the whole body; see `tagged`. */
  readonly revalidates?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Bytes that are sent as they come. */
export class ByteSource {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Called when all are sent, or the caller has gone. */
  readonly close: () => void;

  constructor(chunks: AsyncIterable<Uint8Array>, close: () => void) {
    this.chunks = chunks;
    this.close = close;
  }
}

export type Handler<Input> = (input: Input) => Soon<Answer>;

export interface ScopedRoute {
  readonly method: Method;
  readonly path: string;
  readonly scope: Scope;
  /** What it takes and gives, as the API's own description says; a test asks it of every route. */
  readonly operation?: Operation;
  /** True where reads leave a trace too; writes always do. */
  readonly audited?: boolean;
  readonly handle: Handler<Call>;
}

/** Asks for no token, so it is not told who calls. */
export interface PublicRoute {
  readonly method: 'GET';
  readonly path: string;
  readonly scope: null;
  readonly operation?: Operation;
  readonly handle: Handler<PublicCall>;
}

export type Route = ScopedRoute | PublicRoute;

export function route(method: Method, path: string, scope: Scope, handle: Handler<Call>): ScopedRoute {
  return { method, path, scope, handle };
}

export function publicRoute(path: string, handle: Handler<PublicCall>): PublicRoute {
  return { method: 'GET', path, scope: null, handle };
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}

/** `text` is the body as it is sent. */
export function okJson(text: string): Answer {
  return { status: 200, body: undefined, content: { type: 'application/json', data: text } };
}

/** The route with its description. */
export function documented<Described extends Route>(operation: Operation, undescribed: Described): Described {
  return { ...undescribed, operation };
}
