/** Answers kept for a repeat of their request: by token, path and the client's key, for a day, and so many bytes for each token. */
import type { UnixMs } from '../../core/time.ts';
import type { KeptRequest, RequestKey } from '../records.ts';
import type { Database } from './database.ts';

export const KEPT_ANSWER_TABLE = `CREATE TABLE kept_answer (
     token_id TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL,
     at_ms INTEGER NOT NULL, sha256 TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (token_id, path, key)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX kept_answer_age ON kept_answer (at_ms);`;

const KEPT_MS = 86_400_000;
/**
 * Answers to POST are some hundred bytes: of one token's some six thousand, the newest. The largest, a data source of 5,000 tags made by a body of
 * 1 MiB, is well below this. What a token floods is its own share.
 */
const MAX_TOKEN_BYTES = 4 * 1024 * 1024;
/** Of all together, however many tokens there are. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What is too many goes each sixteenth of a bound, as finding the place to cut reads all that is bound. */
const TRIM_SHARE = 1 / 16;
/** A row's numbers, hash, token and place in the index, about. */
const ROW_BYTES = 200;
const SIZE = `${ROW_BYTES} + octet_length(path) + octet_length(key) + octet_length(headers) + octet_length(body)`;

/** In bytes. */
interface Limits {
  readonly token: number;
  readonly all: number;
}

interface Row {
  readonly sha256: string;
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

export class KeptAnswers {
  readonly #database: Database;
  readonly #limits: Limits;
  /** Bytes kept since the last trim of each token's; the first answer after a start trims. */
  readonly #keptOf = new Map<string, number>();
  #kept = Number.POSITIVE_INFINITY;

  /** `limits` are a knob for tests. */
  constructor(database: Database, limits: Limits = { token: MAX_TOKEN_BYTES, all: MAX_BYTES }) {
    this.#database = database;
    this.#limits = limits;
  }

  find(key: RequestKey, nowMs: UnixMs): KeptRequest | undefined {
    const row = this.#database
      .prepare('SELECT sha256, status, headers, body FROM kept_answer WHERE token_id = ? AND path = ? AND key = ? AND at_ms > ?')
      .get(key.tokenId, key.path, key.key, nowMs - KEPT_MS) as Row | undefined;
    return row && { ...row, headers: JSON.parse(row.headers) };
  }

  /** An older answer under the same key is replaced. */
  keep(key: RequestKey, answer: KeptRequest, nowMs: UnixMs): void {
    const headers = JSON.stringify(answer.headers);
    this.#database.prepare('DELETE FROM kept_answer WHERE at_ms <= ?').run(nowMs - KEPT_MS);
    this.#database
      .prepare(
        'INSERT OR REPLACE INTO kept_answer (token_id, path, key, at_ms, sha256, status, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(key.tokenId, key.path, key.key, nowMs, answer.sha256, answer.status, headers, answer.body);
    const sizeBytes = ROW_BYTES + [key.path, key.key, headers, answer.body].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    this.#trimToken(key.tokenId, sizeBytes);
    this.#trimAll(sizeBytes);
  }

  #trimToken(tokenId: string, addedBytes: number): void {
    const keptBytes = (this.#keptOf.get(tokenId) ?? Number.POSITIVE_INFINITY) + addedBytes;
    const isDue = keptBytes > this.#limits.token * TRIM_SHARE;
    this.#keptOf.set(tokenId, isDue ? 0 : keptBytes);
    if (isDue) this.#cut('token_id = @tokenId', { tokenId, limit: this.#limits.token });
  }

  #trimAll(addedBytes: number): void {
    this.#kept += addedBytes;
    if (this.#kept <= this.#limits.all * TRIM_SHARE) return;
    this.#kept = 0;
    this.#cut('TRUE', { limit: this.#limits.all });
  }

  /** Of those that `where` means, the newest that have room stay. */
  #cut(where: string, values: { readonly limit: number; readonly tokenId?: string }): void {
    this.#database
      .prepare(
        `DELETE FROM kept_answer WHERE ${where} AND (token_id, path, key) IN (
           SELECT token_id, path, key FROM (
             SELECT token_id, path, key, sum(${SIZE}) OVER (ORDER BY at_ms DESC, token_id, path, key ROWS UNBOUNDED PRECEDING) AS bytes
             FROM kept_answer WHERE ${where})
           WHERE bytes > @limit)`,
      )
      .run(values);
  }
}
