/** One request and what comes to be known of it on its way through the gate. */
import type { Context } from 'hono';
import type { StoredToken } from '../store/records.ts';
import type { AnswerHeaders } from './respond.ts';

export interface Exchange {
  readonly requestId: string;
  /** Of the client's side of the connection; null where there is none, as in tests. */
  readonly address: string | null;
  /** The connection itself, by which things may be remembered for as long as it lives; null where there is none. */
  readonly connection: object | null;
  /** Who calls, once that is known. */
  token?: StoredToken;
  /** That the answer has whatever it is; what is learned on the way is added. */
  readonly headers: AnswerHeaders;
}

const MAPPED_IPV4 = /^::ffff:(?=\d+\.)/;

/** The peer of the connection. Headers of proxies are not believed: anyone can send them. */
export function connectionOf(c: Context): Pick<Exchange, 'address' | 'connection'> {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: { readonly socket: { readonly remoteAddress?: string } } };
  if (!incoming) return { address: null, connection: null };
  return { address: incoming.socket.remoteAddress?.replace(MAPPED_IPV4, '') ?? null, connection: incoming.socket };
}
