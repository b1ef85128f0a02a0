/** The server under the API: HTTP or HTTPS, its limits and its stop. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Clock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Api } from './api.ts';
import { ApiError, type ProblemCode, problemOf } from './problem.ts';
import { commonHeaders, respond } from './respond.ts';

const MAX_CONNECTIONS = 256;

/** TLS 1.2 is what the panels of this decade speak; below it is broken. (RFC 8996) */
const TLS = { minVersion: 'TLSv1.2', handshakeTimeout: 10_000 } as const;

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000, // 4 MiB over a slow radio link
  requireHostHeader: false, // its lack is refused in our own form
  keepAliveTimeout: 30_000, // a panel that polls every 10 s keeps its connection
  connectionsCheckingInterval: 2_000, // how often the timeouts above are looked at; Node's 30 s would make 10 s into 40
};

/** A peer that neither sends nor takes anything for this long has stalled. */
const SILENT_SOCKET_MS = 120_000;

/** PEM texts. */
export interface TlsCredentials {
  readonly cert: string;
  readonly key: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly api: Api;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent: plain HTTP. */
  readonly tls?: TlsCredentials;
  /** Those of LIMITS that a test cannot wait for. */
  readonly limits?: Partial<typeof LIMITS> & { readonly silentSocketMs?: number };
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** Connections from now on are shown this certificate. Only where `tls` was given. */
  useCertificate(tls: TlsCredentials): void;
  /** Takes no more connections, lets running requests end within `deadlineMs` and then cuts them off. Never rejects. */
  close(deadlineMs: number): Promise<void>;
}

/** Rejects `listen_failed`, naming the address. */
export async function listen({ host, port, api, clock, log, tls, limits }: ListenOptions): Promise<Listening> {
  const answer = getRequestListener(api.fetch, { errorHandler: () => unreadable() });
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch((error: unknown) => {
      log.error({ error: messageOf(error) }, 'an answer could not be sent');
      response.destroy();
    });
  };
  const { silentSocketMs = SILENT_SOCKET_MS, ...own } = limits ?? {};
  const options = { ...LIMITS, ...own };
  const secure = tls && createSecureServer({ ...options, ...TLS, ...tls }, listener);
  const server = secure ?? createServer(options, listener);
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = silentSocketMs;
  server.on('clientError', refuseUnreadable);
  const unsent = trackResponses(server);
  endSilentSockets(server, unsent);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(host, port, error)));
    server.listen({ host, port }, resolve);
  });
  server.on('error', (error) => log.error({ error: messageOf(error) }, 'the HTTP server reports an error'));
  const address = server.address() as AddressInfo;
  return {
    host: address.address,
    port: address.port,
    useCertificate: (next) => secure?.setSecureContext({ ...TLS, ...next }),
    close: (deadlineMs) => close(server, unsent, { clock, deadlineMs }),
  };
}

/** Cuts off silent peers. A socket is silent by our own doing while a request that has come whole has no answer yet: a sync may take five minutes. */
function endSilentSockets(server: Server | SecureServer, unsent: ReadonlySet<ServerResponse>): void {
  server.on('timeout', (socket: Duplex) => {
    const response = [...unsent].findLast(({ req }) => req.socket === socket);
    if (!response?.req.complete || response.headersSent) socket.destroy();
  });
}

const PARSER_PROBLEMS: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

/** What the parser refuses never becomes a request; the answer has the form of every other refusal all the same. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const requestId = randomUUID();
  const code = PARSER_PROBLEMS[error.code ?? ''] ?? 'bad_request';
  const { status, body } = problemOf(new ApiError(code, ERROR_TEXTS[code] ?? 'This is not a request of HTTP/1.1.'), 'edge', requestId);
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `X-Request-Id: ${requestId}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

const ERROR_TEXTS: Readonly<Partial<Record<ProblemCode, string>>> = {
  headers_too_large: 'The path and the headers are larger than 16 KiB.',
  request_timeout: 'The request did not come in time.',
};

/** A request whose target or Host makes no URL never reaches a route. */
function unreadable(): Response {
  const requestId = randomUUID();
  const problem = problemOf(new ApiError('bad_request', 'The path or the Host header cannot be read.'), 'edge', requestId);
  return respond(problem, commonHeaders(requestId));
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'not permitted',
};

function listenError(host: string, port: number, error: NodeJS.ErrnoException): GatewayError {
  const reason = REASONS[error.code ?? ''] ?? error.message;
  return new GatewayError('listen_failed', `cannot listen on ${host}:${port}: ${reason}`, { cause: error });
}

/** The responses that are not sent to their last byte. */
function trackResponses(server: Server | SecureServer): ReadonlySet<ServerResponse> {
  const unsent = new Set<ServerResponse>();
  function forget(this: ServerResponse): void {
    unsent.delete(this);
  }
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (!server.listening) response.shouldKeepAlive = false; // a client that polls must not hold up the stop
    unsent.add(response);
    response.on('close', forget);
  });
  return unsent;
}

const SENT_CHECK_MS = 20;

interface Stop {
  readonly clock: Clock;
  readonly deadlineMs: number;
}

async function close(server: Server | SecureServer, unsent: ReadonlySet<ServerResponse>, { clock, deadlineMs }: Stop): Promise<void> {
  // The close of http.Server would cut off at once whoever still reads an answer: it takes one handed over for one sent.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  const untilMs = clock.monotonicMs() + deadlineMs;
  while (unsent.size > 0 && clock.monotonicMs() < untilMs) await clock.sleep(SENT_CHECK_MS);
  server.close(); // stops its timers
  server.closeAllConnections();
  await closed;
}
