/** Idempotency-Key: a POST that is sent again gets the answer of the first, over a restart too. */
import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import type { AnswerStore, KeptRequest, RequestKey } from '../store/records.ts';
import { ApiError, invalid } from './problem.ts';
import type { Answer } from './route.ts';

const KEY = /^[\x21-\x7e]{1,255}$/;

export interface KeyedRequest {
  readonly tokenId: string;
  readonly path: string;
  /** The header, as it came. */
  readonly key: string;
  /** Query and body: what must be the same for it to be a repeat. */
  readonly content: readonly (string | Uint8Array)[];
}

interface Running {
  readonly sha256: string;
  readonly answer: Promise<Answer>;
}

export class Idempotency {
  readonly #records: AnswerStore;
  readonly #clock: Clock;
  readonly #log: ThrottledLog;
  readonly #running = new Map<string, Running>();

  constructor(records: AnswerStore, clock: Clock, log: Log) {
    this.#records = records;
    this.#clock = clock;
    this.#log = new ThrottledLog(log, clock);
  }

  /**
   * Runs `work` for the first request under its key and keeps a 2xx answer, of whatever size, for 24 hours; a repeat gets that answer, with
   * `Idempotent-Replayed: true`, and one that comes while the first still runs waits for it. Refusals are not kept, as
   * they changed nothing. Throws `idempotency_key_reused` when the request is another one.
   */
  async run(request: KeyedRequest, work: () => Promise<Answer>): Promise<Answer> {
    if (!KEY.test(request.key)) throw invalid([{ field: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' }]);
    const sha256 = hashOf(request.content);
    const key: RequestKey = { tokenId: request.tokenId, path: request.path, key: request.key };
    const name = JSON.stringify(key);
    for (let running = this.#running.get(name); running; running = this.#running.get(name)) {
      requireSame(running.sha256, sha256);
      const shared = await running.answer.catch(() => undefined); // its own client hears of that, who may have left
      if (shared) return replayed(shared);
      if (this.#running.get(name) === running) this.#running.delete(name);
    }
    const first: { replay?: true } = {};
    const answer = this.#first(key, sha256, work, first);
    this.#running.set(name, { sha256, answer });
    try {
      const given = await answer;
      return first.replay ? replayed(given) : given;
    } finally {
      if (this.#running.get(name)?.answer === answer) this.#running.delete(name);
    }
  }

  async #first(key: RequestKey, sha256: string, work: () => Promise<Answer>, found: { replay?: true }): Promise<Answer> {
    const kept = await this.#records.keptAnswer(key, this.#clock.now());
    if (kept) {
      requireSame(kept.sha256, sha256);
      found.replay = true;
      return { status: kept.status, body: undefined, content: { type: 'application/json', data: kept.body }, headers: kept.headers };
    }
    const answer = await work();
    if (answer.status >= 200 && answer.status < 300 && !answer.content) {
      const body = JSON.stringify(answer.body) ?? '';
      await this.#keep(key, { sha256, status: answer.status, headers: answer.headers ?? {}, body });
    }
    return answer;
  }

  /** The work is done: that a repeat would do it again is worth a line, and no refusal. */
  async #keep(key: RequestKey, answer: KeptRequest): Promise<void> {
    try {
      await this.#records.keepAnswer(key, answer, this.#clock.now());
    } catch (error) {
      this.#log.warn('keep', { path: key.path, reason: messageOf(error) }, 'an answer could not be kept for a repeat of its request');
    }
  }
}

function requireSame(kept: string, now: string): void {
  if (kept !== now) throw new ApiError('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
}

function replayed(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'Idempotent-Replayed': 'true' } };
}

function hashOf(content: KeyedRequest['content']): string {
  const hash = createHash('sha256');
  for (const part of content) hash.update(part).update('\0');
  return hash.digest('hex');
}
