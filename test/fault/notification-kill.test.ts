/** From a reading to a receiver over kills of the built daemon: of each alert both messages arrive, in order, and the alert knows it. */
import { expect, onTestFinished, test } from 'vitest';
import { startReceiver } from '../alerts/notify/http-receiver.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';

const ROUNDS = Number(process.env['TWINBOX_KILLS'] ?? 4);
const START_MS = Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000;
const RULES = [{ id: 'high', name: 'High', condition: { tag_name: 'pressure', operator: 'gt', value: 5 }, notifications: ['mes'] }];

test(`no message is missed over ${ROUNDS} kills right behind an answer`, { timeout: 60_000 + ROUNDS * 30_000 }, async () => {
  const receiver = await startReceiver();
  const notifications = { channels: { mes: { type: 'webhook', url: receiver.url } } };
  const daemon = await TestDaemon.start({ alert_rules: RULES, notifications });
  onTestFinished(() => daemon.dispose());
  const say = async (afterS: number, value: number) => {
    const point = { asset_id: 'Pump_001', tag_name: 'pressure', value, timestamp: new Date(START_MS + afterS * 1_000).toISOString() };
    expect((await daemon.post('/v1/telemetry', { data: [point] })).status).toBe(200);
  };
  for (let round = 0; round < ROUNDS; round++) {
    await say(round * 10, 9);
    await daemon.kill();
    await daemon.restart();
    await say(round * 10 + 5, 1);
    if (round % 2 === 1) {
      await daemon.kill();
      await daemon.restart();
    }
  }
  const alerts = await eventually(
    async () => {
      const { body } = await daemon.get('/v1/alerts?status=resolved&per_page=100');
      const all = body.data as { id: string; deliveries: { channel: string; event: string; status: string }[] }[];
      const settled =
        all.length === ROUNDS && all.every(({ deliveries }) => deliveries.filter(({ status }) => status === 'delivered').length === 2);
      return settled ? all : undefined;
    },
    { what: 'every alert is resolved, and told of', timeoutMs: 30_000, everyMs: 100 },
  );
  const received = receiver.received.map(({ headers }) => String(headers['x-twinbox-delivery']));
  for (const { id, deliveries } of alerts) {
    expect(deliveries.map(({ channel, event }) => `${channel} ${event}`)).toEqual(['mes triggered', 'mes resolved']);
    expect(received).toContain(`${id}.triggered`);
    expect(received.indexOf(`${id}.resolved`)).toBeGreaterThan(received.indexOf(`${id}.triggered`));
  }
  expect(new Set(received).size).toBe(2 * ROUNDS);
});
