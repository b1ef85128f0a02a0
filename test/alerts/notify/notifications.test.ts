/** All channels together: notices find their channels once, a dead one holds up no other, and nothing is lost over a restart. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ChannelSpec } from '../../../src/alerts/notify/channel.ts';
import { Notifications } from '../../../src/alerts/notify/notifications.ts';
import { silentLog } from '../../../src/core/log.ts';
import { ManualClock, turn } from '../../support/manual-clock.ts';
import { eventually } from '../../support/wait.ts';
import { type HttpReceiver, startReceiver } from './http-receiver.ts';
import { notice } from './letters.ts';
import { openOutbox, type TestOutbox } from './outbox.ts';

const DEAD = 'http://127.0.0.1:1';

function hook(name: string, url: string, tenant = 'default'): ChannelSpec {
  return { name, config: { type: 'webhook', tenant, storm_limit: 100, url, secret: 'a secret of sixteen' } };
}

function begin(channels: readonly ChannelSpec[], outbox: TestOutbox, clock = new ManualClock()) {
  const stop = new AbortController();
  const notifications = new Notifications({ channels, store: outbox, clock, random: () => 0.5, log: silentLog, box: 'box-1' });
  const ended = notifications.run(stop.signal);
  onTestFinished(() => stop.abort());
  return {
    notifications,
    clock,
    stop: () => {
      stop.abort();
      return ended;
    },
  };
}

const bodies = (receiver: HttpReceiver) => receiver.received.map(({ body }) => JSON.parse(body).id);

function arrived(receiver: HttpReceiver, count: number) {
  return eventually(() => (receiver.received.length >= count ? true : undefined), { what: `${count} messages`, timeoutMs: 20_000 });
}

describe('a notice', () => {
  it('goes to each channel that the rule names once, and to none of another tenant', async () => {
    const [mes, chat, north] = [await startReceiver(), await startReceiver(), await startReceiver()];
    const outbox = openOutbox();
    const { notifications } = begin([hook('mes', mes.url), hook('chat', chat.url), hook('north', north.url, 'north')], outbox);
    notifications.notify(notice(), ['mes', 'chat', 'mes', 'north', 'nothing']);
    notifications.notify(notice(), ['mes']);
    notifications.notify(notice({ event: 'resolved' }), ['mes']);
    await Promise.all([arrived(mes, 2), arrived(chat, 1)]);
    await turn();
    expect(bodies(mes)).toEqual(['alert-1.triggered', 'alert-1.resolved']);
    expect(bodies(chat)).toEqual(['alert-1.triggered']);
    expect(north.received).toEqual([]);
    expect([notifications.has('default', 'mes'), notifications.has('north', 'mes'), notifications.has('default', 'x')]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('is asked of the store as soon as the caller has told all, in one commit, and a flood costs a few', async () => {
    const outbox = openOutbox();
    const { notifications } = begin([hook('dead', DEAD)], outbox);
    await turn();
    notifications.notify(notice({ alertId: 'first' }), ['dead']);
    notifications.notify(notice({ alertId: 'second' }), ['dead']);
    await Promise.resolve();
    expect(outbox.commits).toBe(1);
    for (let index = 0; index < 500; index++) notifications.notify(notice({ alertId: `a${index}` }), ['dead']);
    await turn();
    expect(outbox.commits).toBe(2);
    expect(notifications.list('default')[0]?.waiting).toBe(502);
  });

  it('beyond a thousand that wait drops the oldest, and they are counted', async () => {
    const outbox = openOutbox();
    const { notifications } = begin([hook('dead', DEAD)], outbox);
    for (let index = 0; index < 1_100; index++) notifications.notify(notice({ alertId: `a${index}` }), ['dead']);
    await turn();
    expect(notifications.list('default')[0]).toMatchObject({ waiting: 1_000, dropped: { outbox_full: 100, store_failed: 0 } });
    expect(await outbox.told('a0', 'a1099')).toEqual(['a0 triggered failed', 'a1099 triggered pending']);
  });

  it('waits in memory while the store fails, within a bound, and is saved when it is back', async () => {
    const outbox = openOutbox();
    const { notifications, clock } = begin([hook('dead', DEAD)], outbox);
    await turn();
    outbox.failing = true;
    for (let index = 0; index < 5_100; index++) notifications.notify(notice({ alertId: `a${index}` }), ['dead']);
    await clock.advance(30_000);
    expect(notifications.list('default')[0]?.dropped).toEqual({ outbox_full: 0, store_failed: 100 });
    outbox.failing = false;
    await clock.advance(1_000);
    expect(await outbox.told('a4999', 'a5000')).toEqual(['a4999 triggered pending']);
  });
});

describe('channels of a file that is read again', () => {
  it('take what waits for them to where they lead now, and count on', async () => {
    const [old, fresh] = [await startReceiver(), await startReceiver()];
    old.answer = () => undefined; // what is on its way hangs, and is given up after its grace
    const outbox = openOutbox();
    const { notifications, clock } = begin([hook('mes', old.url)], outbox);
    notifications.notify(notice({ alertId: 'a' }), ['mes']);
    await arrived(old, 1);
    notifications.take([hook('mes', fresh.url)]);
    notifications.notify(notice({ alertId: 'b' }), ['mes']);
    await turn();
    expect(fresh.received).toEqual([]);
    await clock.advance(1_000);
    await arrived(fresh, 2);
    expect(bodies(fresh)).toEqual(['a.triggered', 'b.triggered']);
    await eventually(() => (notifications.list('default')[0]?.delivered === 2 ? true : undefined), {
      what: 'both count',
      timeoutMs: 20_000,
    });
    expect(notifications.list('default')).toMatchObject([{ waiting: 0, delivered: 2 }]);
  });

  it('that stay as they are go on with their connection and their back-off', async () => {
    const fresh = await startReceiver();
    const { notifications, clock } = begin([hook('dead', DEAD)], openOutbox());
    notifications.notify(notice({ alertId: 'a' }), ['dead']);
    await eventually(() => (notifications.list('default')[0]?.failedAttempts === 1 ? true : undefined), {
      what: 'a try',
      timeoutMs: 20_000,
    });
    notifications.take([hook('dead', DEAD), hook('fresh', fresh.url)]);
    notifications.notify(notice({ alertId: 'b' }), ['fresh']);
    await arrived(fresh, 1);
    await clock.advance(1_000);
    expect(notifications.list('default')[0]).toMatchObject({ name: 'dead', failedAttempts: 1, waiting: 1 });
  });

  it('that have gone are told no more, and what waited for them is given up', async () => {
    const outbox = openOutbox();
    const { notifications } = begin([hook('dead', DEAD)], outbox);
    notifications.notify(notice({ alertId: 'a' }), ['dead']);
    await eventually(() => (notifications.list('default')[0]?.failedAttempts === 1 ? true : undefined), {
      what: 'a try',
      timeoutMs: 20_000,
    });
    notifications.take([]);
    expect([notifications.has('default', 'dead'), notifications.list('default')]).toEqual([false, []]);
    await eventually(async () => ((await outbox.told('a')).join() === 'a triggered failed' ? true : undefined), {
      what: 'it is given up',
      timeoutMs: 20_000,
    });
    notifications.take([hook('dead', DEAD)]);
    expect(notifications.list('default')).toMatchObject([{ waiting: 0, failedAttempts: 1 }]);
  });
});

describe('a dead channel', () => {
  it('holds up no other', async () => {
    const [hanging, fine] = [await startReceiver(), await startReceiver()];
    hanging.answer = () => undefined;
    const { notifications } = begin([hook('hanging', hanging.url), hook('dead', DEAD), hook('fine', fine.url)], openOutbox());
    for (let index = 0; index < 10; index++) notifications.notify(notice({ alertId: `a${index}` }), ['hanging', 'dead', 'fine']);
    await arrived(fine, 10);
    expect(hanging.received).toHaveLength(1);
  });

  it('holds up the stop for a second, and its message is sent after the next start', async () => {
    const receiver = await startReceiver();
    receiver.answer = () => undefined;
    const outbox = openOutbox();
    const first = begin([hook('mes', receiver.url)], outbox);
    first.notifications.notify(notice(), ['mes']);
    await arrived(receiver, 1);
    const stopped = first.stop();
    await first.clock.advance(1_000);
    await stopped;
    expect(await outbox.told('alert-1')).toEqual(['alert-1 triggered pending']);
    receiver.answer = (response) => void response.end();
    const second = begin([hook('mes', receiver.url)], outbox);
    await arrived(receiver, 2);
    expect(new Set(bodies(receiver))).toEqual(new Set(['alert-1.triggered']));
    await eventually(() => (second.notifications.list('default')[0]?.waiting === 0 ? true : undefined), {
      what: 'nothing waits',
      timeoutMs: 10_000,
    });
    expect(await outbox.told('alert-1')).toEqual(['alert-1 triggered delivered']);
  });
});

describe('the stop', () => {
  it('lets a message arrive that is on its way', async () => {
    const receiver = await startReceiver();
    let finish = () => {};
    receiver.answer = (response) => {
      finish = () => response.end();
    };
    const outbox = openOutbox();
    const { notifications, stop } = begin([hook('mes', receiver.url)], outbox);
    notifications.notify(notice(), ['mes']);
    await arrived(receiver, 1);
    const stopped = stop();
    finish();
    await stopped;
    expect(await outbox.told('alert-1')).toEqual(['alert-1 triggered delivered']);
  });

  it('saves what was told a moment before', async () => {
    const outbox = openOutbox();
    const { notifications, stop, clock } = begin([hook('dead', DEAD)], outbox);
    await turn();
    outbox.failing = true;
    notifications.notify(notice(), ['dead']);
    await turn();
    outbox.failing = false;
    const stopped = stop();
    await clock.advance(1_000);
    await stopped;
    expect(await outbox.told('alert-1')).toEqual(['alert-1 triggered pending']);
  });
});

describe('a start', () => {
  it('gives up what waits for a channel that is no longer in the file, or now belongs to another tenant', async () => {
    const receiver = await startReceiver();
    const outbox = openOutbox();
    const row = { event: 'triggered', body: '{}', createdMs: new ManualClock().now() } as const;
    await outbox.addDeliveries([{ ...row, tenant: 'default', channel: 'gone', alertId: 'a1' }], 10);
    await outbox.addDeliveries([{ ...row, tenant: 'default', channel: 'moved', alertId: 'a2' }], 10);
    begin([hook('moved', receiver.url, 'north')], outbox);
    await turn();
    expect(await outbox.told('a1', 'a2')).toEqual(['a1 triggered failed', 'a2 triggered failed']);
    expect(receiver.received).toEqual([]);
  });
});

describe('a test of a channel', () => {
  it('sends a letter that says so, past the outbox', async () => {
    const receiver = await startReceiver();
    const outbox = openOutbox();
    const { notifications } = begin([hook('mes', receiver.url)], outbox);
    const signal = new AbortController().signal;
    expect(await notifications.test('default', 'mes', signal)).toMatchObject({ ok: true, code: null, message: null });
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      event: 'test',
      box: 'box-1',
      message: 'This is a test of the channel "mes". No alert is behind it.',
    });
    expect(outbox.commits).toBe(0);
    expect(await notifications.test('north', 'mes', signal)).toBeUndefined();
    expect(await notifications.test('default', 'none', signal)).toBeUndefined();
  });

  it('says why it failed, without a secret that the receiver echoes', async () => {
    const receiver = await startReceiver();
    receiver.answer = (response) => response.writeHead(403).end('your key is "a secret of sixteen"');
    const { notifications } = begin([hook('mes', receiver.url)], openOutbox());
    const result = await notifications.test('default', 'mes', new AbortController().signal);
    expect(result).toMatchObject({ ok: false, code: 'delivery_refused' });
    expect(result?.message).toContain('answered 403: your key is "********"');
  });

  it('runs once at a time, and no longer than 20 s', async () => {
    const receiver = await startReceiver();
    receiver.answer = () => undefined;
    const { notifications, clock } = begin([hook('mes', receiver.url)], openOutbox());
    const signal = new AbortController().signal;
    const first = notifications.test('default', 'mes', signal);
    await expect(notifications.test('default', 'mes', signal)).rejects.toMatchObject({ code: 'conflict' });
    await arrived(receiver, 1);
    await clock.advance(20_000);
    expect(await first).toMatchObject({ ok: false, code: 'timeout', durationMs: 20_000 });
  });
});
