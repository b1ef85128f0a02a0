/** Alerts over kills of the built daemon, by rules of the file and of the API: a duration that has begun goes on, and no episode is missed, doubled or left open. */
import { afterEach, describe, expect, it } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';

const ROUNDS = Number(process.env['TWINBOX_KILLS'] ?? 6);
const TIMEOUT_MS = 60_000 + ROUNDS * 20_000;
const START_MS = Math.floor(Date.now() / 1_000) * 1_000 - 3_600_000;

const RULES = [{ id: 'at-once', name: 'At once', condition: { tag_name: 'pressure', operator: 'gt', value: 5 } }];
const LASTING = { name: 'Lasting', condition: { tag_name: 'temperature', operator: 'gt', value: 80, duration_seconds: 60 } };

describe('alerts of a daemon that is killed', { timeout: TIMEOUT_MS }, () => {
  let daemon: TestDaemon;
  afterEach(() => daemon.dispose());

  /** Answered when it is on disk. */
  async function say(tag: string, afterS: number, value: number): Promise<void> {
    const point = { asset_id: 'Pump_001', tag_name: tag, value, timestamp: new Date(START_MS + afterS * 1_000).toISOString() };
    expect((await daemon.post('/v1/telemetry', { data: [point] })).status).toBe(200);
  }

  async function killed(): Promise<void> {
    await daemon.kill();
    await daemon.restart();
  }

  /** Of one rule, the oldest first, whatever their status. */
  async function alertsOf(rule: string): Promise<{ id: string; status: string; triggered_at: string; resolved_at: string | null }[]> {
    const { status, body } = await daemon.get('/v1/alerts?status=active,acknowledged,resolved&per_page=100');
    expect(status, daemon.log().slice(-2_000)).toBe(200);
    return body.data.filter((alert: { rule_id: string }) => alert.rule_id === rule).reverse();
  }

  it('goes on with a duration, and knows its open alert again', async () => {
    daemon = await TestDaemon.start({});
    const lasting: string = (await daemon.post('/v1/alert-rules', LASTING)).body.data.id;
    await say('temperature', 0, 90);
    await killed();
    await say('temperature', 30, 91);
    expect(await alertsOf(lasting)).toEqual([]);
    await killed();
    await say('temperature', 60, 92);
    const [alert] = await alertsOf(lasting);
    expect(alert).toMatchObject({ status: 'active', triggered_at: isoAt(60) });
    await killed();
    expect(await alertsOf(lasting)).toMatchObject([{ id: alert?.id, status: 'active' }]);
    expect((await daemon.post(`/v1/alerts/${alert?.id}/acknowledge`, { note: 'on my way' })).status).toBe(200);
    await killed();
    await say('temperature', 70, 20);
    expect(await alertsOf(lasting)).toMatchObject([{ id: alert?.id, status: 'resolved', resolution: 'cleared', acknowledged_by: 'admin' }]);
  });

  it(`misses and doubles no episode over ${ROUNDS} kills right behind an answer`, async () => {
    daemon = await TestDaemon.start({ alert_rules: RULES });
    for (let round = 0; round < ROUNDS; round++) {
      await say('pressure', round * 10, 9);
      await killed(); // the alert may be saved or not: replay must find it
      await say('pressure', round * 10 + 5, 1);
      if (round % 2 === 1) await killed();
    }
    await eventually(async () => ((await alertsOf('at-once')).every(({ status }) => status === 'resolved') ? true : undefined), {
      what: 'all alerts are resolved',
      timeoutMs: 5_000,
      everyMs: 100,
    });
    expect((await alertsOf('at-once')).map(({ triggered_at, resolved_at }) => [triggered_at, resolved_at])).toEqual(
      Array.from({ length: ROUNDS }, (_, round) => [isoAt(round * 10), isoAt(round * 10 + 5)]),
    );
  });
});

function isoAt(afterS: number): string {
  return new Date(START_MS + afterS * 1_000).toISOString().replace('.000Z', 'Z');
}
