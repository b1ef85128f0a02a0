/** The slack channel: an incoming webhook of Slack, or of what understands the same (Mattermost, Rocket.Chat). */
import type { Channel } from './channel.ts';
import { postJson } from './http-post.ts';
import type { Letter } from './letter.ts';
import type { SlackConfig } from './schema.ts';

export class SlackChannel implements Channel {
  readonly target: string;
  readonly #config: SlackConfig;
  readonly #url: URL;

  constructor(config: SlackConfig) {
    this.#config = config;
    this.#url = new URL(config.url);
    this.target = this.#url.origin; // the path is the secret
  }

  async send(letter: Letter, signal: AbortSignal): Promise<null> {
    const text = `*${escaped(letter.subject)}*\n${escaped(letter.text)}`;
    await postJson({ url: this.#url, body: JSON.stringify({ text }), tls: this.#config.tls }, signal);
    return null;
  }
}

/** Slack, "Formatting text for app surfaces": these three are control characters, with which a text could call everybody (`<!channel>`). */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
