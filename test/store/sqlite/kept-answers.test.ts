/** Answers are kept for a day, apart by token and path, and never too many. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import type { KeptRequest, RequestKey } from '../../../src/store/records.ts';
import { openDatabase } from '../../../src/store/sqlite/database.ts';
import { KEPT_ANSWER_TABLE, KeptAnswers } from '../../../src/store/sqlite/kept-answers.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';
import { useTempDirs } from '../temp-dir.ts';

const DAY_MS = 86_400_000;
const at = (ms: number) => ms as UnixMs;
const key = (more: Partial<RequestKey> = {}): RequestKey => ({ tokenId: 'tok-1', path: '/v1/telemetry', key: 'k', ...more });
const ANSWER: KeptRequest = { sha256: 'ab'.repeat(32), status: 201, headers: { Location: '/api/twins/a' }, body: '{"data":1}' };

describe('kept answers', () => {
  const tempDir = useTempDirs();

  it('come back as they were, over a restart of the database', () => {
    const file = join(tempDir(), 'records.db');
    const records = new RecordsDatabase(file);
    records.keepAnswer(key(), ANSWER, at(0));
    records.close();
    const again = new RecordsDatabase(file);
    expect(again.keptAnswer(key(), at(DAY_MS - 1))).toEqual(ANSWER);
    for (const other of [key({ tokenId: 'tok-2' }), key({ path: '/v1/other' }), key({ key: 'K' })]) {
      expect(again.keptAnswer(other, at(1))).toBeUndefined();
    }
    again.close();
  });

  it('end after a day, whether anything is kept meanwhile or not', () => {
    const database = openDatabase(join(tempDir(), 'answers.db'));
    database.exec(KEPT_ANSWER_TABLE);
    const answers = new KeptAnswers(database);
    answers.keep(key(), ANSWER, at(0));
    expect(answers.find(key(), at(DAY_MS))).toBeUndefined();
    answers.keep(key({ key: 'other' }), ANSWER, at(DAY_MS));
    expect(database.prepare('SELECT key FROM kept_answer').all()).toEqual([{ key: 'other' }]);
  });

  it('are the newest ones when they fill more than the share of their token, and those of others stay', () => {
    const database = openDatabase(join(tempDir(), 'answers.db'));
    database.exec(KEPT_ANSWER_TABLE);
    const answers = new KeptAnswers(database, { token: 10_000, all: 1_000_000 });
    const large = { ...ANSWER, body: 'é'.repeat(1_000) }; // 2,000 bytes, and some 250 around them
    answers.keep(key({ tokenId: 'quiet' }), large, at(0));
    for (let n = 0; n < 9; n++) answers.keep(key({ key: `k${n}` }), large, at(n + 1));
    const kept = database.prepare('SELECT key FROM kept_answer WHERE token_id = ? ORDER BY key').pluck();
    expect(kept.all('tok-1')).toEqual(['k5', 'k6', 'k7', 'k8']);
    expect(kept.all('quiet')).toEqual(['k']);
  });

  it('are whole however large one is', () => {
    const records = new RecordsDatabase(join(tempDir(), 'records.db'));
    const large = { ...ANSWER, body: 'x'.repeat(3 * 1024 * 1024) };
    records.keepAnswer(key({ key: 'small' }), ANSWER, at(0));
    records.keepAnswer(key(), large, at(1));
    expect(records.keptAnswer(key(), at(2))).toEqual(large);
    expect(records.keptAnswer(key({ key: 'small' }), at(2))).toEqual(ANSWER);
    records.close();
  });

  it('have a bound for all tokens together', () => {
    const database = openDatabase(join(tempDir(), 'answers.db'));
    database.exec(KEPT_ANSWER_TABLE);
    const answers = new KeptAnswers(database, { token: 10_000, all: 20_000 });
    const large = { ...ANSWER, body: 'x'.repeat(2_000) };
    for (let n = 0; n < 30; n++) answers.keep(key({ tokenId: `tok-${n}` }), large, at(n));
    const kept = database.prepare('SELECT count(*) FROM kept_answer').pluck().get();
    expect(kept).toBe(8);
    expect(answers.find(key({ tokenId: 'tok-29' }), at(30))?.body).toBe(large.body);
  });
});
