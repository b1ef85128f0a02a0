/** The outbox of the built daemon over kill -9: what nobody had taken is sent after the next start, what was taken is not sent again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { UnixMs } from '../../src/core/time.ts';
import { RecordsDatabase } from '../../src/store/sqlite/records.ts';
import { startReceiver } from '../alerts/notify/http-receiver.ts';
import { letter } from '../alerts/notify/letters.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';

const KEY = { tenant: 'default', channel: 'mes' };
const ALERTS = ['a1', 'a2', 'a3', 'a4', 'a5'];

function dataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-outbox-kill-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What an earlier run of the daemon would have left. */
function fill(folder: string): void {
  const records = new RecordsDatabase(join(folder, 'records.db'));
  const rows = ALERTS.map((alertId) => {
    const body = JSON.stringify(letter({ alertId }));
    return { ...KEY, alertId, event: 'triggered' as const, body, createdMs: Date.now() as UnixMs };
  });
  records.addDeliveries(rows, 100);
  records.close();
}

test('a daemon that is killed while a receiver thinks sends again what it does not know to be taken, and nothing else', async () => {
  const folder = dataDir();
  fill(folder);
  const receiver = await startReceiver();
  const ids = () => receiver.received.map(({ headers }) => headers['x-twinbox-delivery']);
  receiver.answer = (response) => {
    if (receiver.received.length < 3) response.end(); // the third one gets no answer
  };
  const notifications = { channels: { mes: { type: 'webhook', url: `${receiver.url}/hook` } } };
  const daemon = await TestDaemon.start({ data_dir: folder, notifications });
  onTestFinished(() => daemon.dispose());
  await eventually(() => (receiver.received.length === 3 ? true : undefined), { what: 'three messages', timeoutMs: 20_000 });
  await daemon.kill('SIGKILL');
  receiver.answer = (response) => void response.end();
  await daemon.restart();
  const channel = await eventually(
    async () => {
      const { body } = await daemon.get('/v1/notification-channels');
      return body.data[0].waiting === 0 ? body.data[0] : undefined;
    },
    { what: 'an empty outbox', timeoutMs: 20_000 },
  );
  expect(ids()).toEqual(['a1', 'a2', 'a3', 'a3', 'a4', 'a5'].map((id) => `${id}.triggered`));
  expect(channel).toMatchObject({ delivered: 3, failed: 0, last_error: null });
  expect(await daemon.stop()).toBe(0);
});

test('a receiver that never answers does not hold up the stop', async () => {
  const folder = dataDir();
  fill(folder);
  const receiver = await startReceiver();
  receiver.answer = () => undefined;
  const notifications = { channels: { mes: { type: 'webhook', url: receiver.url } } };
  const daemon = await TestDaemon.start({ data_dir: folder, notifications });
  onTestFinished(() => daemon.dispose());
  await eventually(() => (receiver.received.length === 1 ? true : undefined), { what: 'the first message', timeoutMs: 20_000 });
  expect(await daemon.stop()).toBe(0);
  expect(daemon.log()).not.toContain('a part hung');
});
