/** One POST of JSON: no redirect is followed, certificates are checked, and of the answer only a little is read. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { GatewayError } from '../../core/errors.ts';
import type { TlsConfig } from './schema.ts';
import { connectionError, tlsOptions } from './tls-files.ts';

/** Enough for the reason of a refusal; the receiver may send gigabytes. */
const MAX_ANSWER_BYTES = 2_048;
const MAX_REASON = 200;

export interface Post {
  readonly url: URL;
  /** Beside those that every POST has. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  readonly tls: TlsConfig | undefined;
}

interface HttpAnswer {
  readonly status: number;
  /** Its beginning, on one line. */
  readonly text: string;
}

/**
 * Resolves when the receiver answers 2xx. Rejects `delivery_refused` for what it will not take at another try either (3xx,
 * 4xx but 408, 425 and 429), `delivery_failed` for other answers, and as a connection fails. No message has the URL's path.
 */
export async function postJson(post: Post, signal: AbortSignal): Promise<void> {
  const { status, text } = await exchange(post, signal);
  if (status >= 200 && status < 300) return;
  const said = text === '' ? '' : `: ${text}`;
  if (status < 400) {
    throw new GatewayError(
      'delivery_refused',
      `${post.url.origin} answered ${status}: redirects are not followed, name the address itself`,
    );
  }
  throw new GatewayError(isPassing(status) ? 'delivery_failed' : 'delivery_refused', `${post.url.origin} answered ${status}${said}`);
}

/** Request Timeout, Too Early, Too Many Requests, and what the server says of itself. */
function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

async function exchange({ url, headers, body, tls }: Post, signal: AbortSignal): Promise<HttpAnswer> {
  const secure = url.protocol === 'https:' ? await tlsOptions(tls) : {};
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request: ClientRequest = start(url, {
      method: 'POST',
      agent: false, // a connection of its own: one that is kept open would be closed by the receiver between two alerts
      signal,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), 'User-Agent': 'twinbox', ...headers },
      ...secure,
    });
    request.on('error', (error) => reject(connectionError(url.origin, error)));
    request.on('response', (response) => readLittle(response, resolve));
    request.end(body);
  });
}

/** Once the status is there the receiver has spoken, however its answer goes on. */
function readLittle(response: IncomingMessage, done: (answer: HttpAnswer) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const end = () => {
    response.destroy();
    const text = Buffer.concat(chunks)
      .toString('utf8')
      .replaceAll(/[\p{Cc}\s]+/gu, ' ')
      .trim();
    done({ status: response.statusCode ?? 0, text: text.slice(0, MAX_REASON) });
  };
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk.subarray(0, MAX_ANSWER_BYTES - size));
    size += chunk.length;
    if (size >= MAX_ANSWER_BYTES) end();
  });
  response.on('error', end);
  response.on('end', end);
  response.on('close', end);
}
