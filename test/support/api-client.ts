/** Talks to an API in this process, without a socket. */
import { type Api, createApi } from '../../src/api/api.ts';
import { FakeServices } from './fake-services.ts';

export interface JsonResponse {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

export interface RequestOptions {
  readonly method?: string;
  /** null sends no Authorization header; absent sends the client's own. */
  readonly token?: string | null;
  readonly json?: unknown;
  /** Sent as it is, in place of `json`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Record<string, string>;
}

export class ApiClient {
  readonly services: FakeServices;
  readonly api: Api;
  readonly token: string;

  constructor(services: FakeServices = new FakeServices()) {
    this.services = services;
    this.api = createApi(services);
    this.token = services.addToken(['admin']);
  }

  get(path: string, options: RequestOptions = {}): Promise<JsonResponse> {
    return this.send(path, options);
  }

  post(path: string, json: unknown, options: RequestOptions = {}): Promise<JsonResponse> {
    return this.send(path, { method: 'POST', json, ...options });
  }

  async send(path: string, options: RequestOptions = {}): Promise<JsonResponse> {
    const { method = 'GET', token = this.token, json, raw } = options;
    const body = raw ?? (json === undefined ? undefined : JSON.stringify(json));
    const response = await this.api.fetch(
      new Request(`http://box.test${path}`, {
        method,
        headers: {
          ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...options.headers,
        },
        ...(body === undefined ? {} : { body }),
      }),
    );
    const text = await textOf(response);
    const isJson = response.headers.get('Content-Type') === 'application/json';
    return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text || undefined };
  }
}

/** The whole body; of a stream, which has no end, what it says at once. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get('Content-Type') !== 'text/event-stream' || !response.body) return response.text();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const chunk = await Promise.race([reader.read(), new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))]);
    if (!chunk || chunk.done) break;
    text += decoder.decode(chunk.value, { stream: true });
  }
  await reader.cancel();
  return text;
}
