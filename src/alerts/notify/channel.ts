/** What every channel does: it hands one letter to its receiver. It has no loop and no memory; the sender owns retrying. */
import type { Letter } from './letter.ts';
import type { ChannelConfig } from './schema.ts';

/** A channel of the configuration; file names are absolute. */
export interface ChannelSpec {
  readonly name: string;
  readonly config: ChannelConfig;
}

export interface Channel {
  /** Where it leads, without secrets: for lists and logs. */
  readonly target: string;
  /**
   * Resolves when the receiver has taken the letter: null, or for whom it did not. Rejects `delivery_refused` when
   * another try would be refused as well; `delivery_failed`, `not_connected`, `authentication_failed`, `protocol` or
   * `config_invalid` when one may help. Heeds the signal, and then rejects with anything.
   */
  send(letter: Letter, signal: AbortSignal): Promise<string | null>;
}
