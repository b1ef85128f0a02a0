/** The webhook channel: the JSON document by HTTP POST, signed so that the receiver can tell that it is ours and is new. */
import { createHmac } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { Channel } from './channel.ts';
import { postJson } from './http-post.ts';
import type { Letter } from './letter.ts';
import type { WebhookConfig } from './schema.ts';

export class WebhookChannel implements Channel {
  readonly target: string;
  readonly #config: WebhookConfig;
  readonly #url: URL;
  readonly #clock: Clock;

  constructor(config: WebhookConfig, clock: Clock) {
    this.#config = config;
    this.#url = new URL(config.url);
    this.#clock = clock;
    this.target = this.#url.origin; // path and query may hold a token
  }

  async send(letter: Letter, signal: AbortSignal): Promise<null> {
    const body = JSON.stringify(letter.document);
    const headers = { 'X-Twinbox-Event': letter.event, 'X-Twinbox-Delivery': letter.id, ...this.#signature(body) };
    await postJson({ url: this.#url, headers, body, tls: this.#config.tls }, signal);
    return null;
  }

  /** The time is signed too: who overheard a message cannot send it again tomorrow. */
  #signature(body: string): Readonly<Record<string, string>> {
    const { secret } = this.#config;
    const timestamp = String(Math.floor(this.#clock.now() / 1_000));
    const time = { 'X-Twinbox-Timestamp': timestamp };
    if (secret === undefined) return time;
    const digest = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
    return { ...time, 'X-Twinbox-Signature': `sha256=${digest}` };
  }
}
