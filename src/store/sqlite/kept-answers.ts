/** Answers kept for a repeat of their request: by token, path and the client's key, for a day and within a bound. */
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
/** One a second for fourteen hours. Answers to POST are some hundred bytes, so this is some ten megabytes. */
const MAX_ANSWERS = 50_000;

interface Row {
  readonly sha256: string;
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

export class KeptAnswers {
  readonly #database: Database;
  readonly #limit: number;
  /** Since the last trim; the first answer after a start trims. */
  #kept = Number.POSITIVE_INFINITY;

  /** `limit` is a knob for tests. */
  constructor(database: Database, limit = MAX_ANSWERS) {
    this.#database = database;
    this.#limit = limit;
  }

  find(key: RequestKey, nowMs: UnixMs): KeptRequest | undefined {
    const row = this.#database
      .prepare('SELECT sha256, status, headers, body FROM kept_answer WHERE token_id = ? AND path = ? AND key = ? AND at_ms > ?')
      .get(key.tokenId, key.path, key.key, nowMs - KEPT_MS) as Row | undefined;
    return row && { ...row, headers: JSON.parse(row.headers) };
  }

  /** An older answer under the same key is replaced. */
  keep(key: RequestKey, answer: KeptRequest, nowMs: UnixMs): void {
    this.#database.prepare('DELETE FROM kept_answer WHERE at_ms <= ?').run(nowMs - KEPT_MS);
    this.#database
      .prepare(
        'INSERT OR REPLACE INTO kept_answer (token_id, path, key, at_ms, sha256, status, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(key.tokenId, key.path, key.key, nowMs, answer.sha256, answer.status, JSON.stringify(answer.headers), answer.body);
    if (++this.#kept > this.#limit / 100) this.#trim();
  }

  /** Each hundredth of the limit, as finding the place to cut walks the whole index. */
  #trim(): void {
    this.#kept = 0;
    this.#database
      .prepare(
        `DELETE FROM kept_answer WHERE (token_id, path, key) IN
           (SELECT token_id, path, key FROM kept_answer ORDER BY at_ms DESC LIMIT -1 OFFSET ?)`,
      )
      .run(this.#limit);
  }
}
