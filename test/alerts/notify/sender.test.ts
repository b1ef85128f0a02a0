/** A channel's sender with the hands of the clock in the test's: order, back-off, giving up, storms, and a store that fails. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Channel } from '../../../src/alerts/notify/channel.ts';
import type { Letter } from '../../../src/alerts/notify/letter.ts';
import { MAX_WAITING, newState, Sender } from '../../../src/alerts/notify/sender.ts';
import { type ErrorCode, GatewayError } from '../../../src/core/errors.ts';
import { silentLog } from '../../../src/core/log.ts';
import { ManualClock, turn } from '../../support/manual-clock.ts';
import { letter } from './letters.ts';
import { openOutbox } from './outbox.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const key = { tenant: 'default', channel: 'chat' };

class FakeChannel implements Channel {
  readonly target = 'fake://receiver';
  /** Every try, with when it was. */
  readonly tries: { readonly letter: Letter; readonly atMs: number }[] = [];
  readonly taken: Letter[] = [];
  /** How it fails: for all, or for a letter by its id. */
  failure: ErrorCode | null = null;
  readonly failures = new Map<string, ErrorCode>();
  hangs = false;
  remark: string | null = null;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async send(sent: Letter, signal: AbortSignal): Promise<string | null> {
    this.tries.push({ letter: sent, atMs: this.#clock.monotonicMs() });
    if (this.hangs) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const failure = this.failure ?? this.failures.get(sent.id);
    if (failure) throw new GatewayError(failure, `no, and the password is hush-hush\r\nsecond line`);
    this.taken.push(sent);
    return this.remark;
  }
}

function rig({ stormLimit = 1_000, random = (): number => 0.5 } = {}) {
  const clock = new ManualClock();
  const channel = new FakeChannel(clock);
  const outbox = openOutbox();
  const stop = new AbortController();
  const hard = new AbortController();
  const start = () => {
    const sender = new Sender({
      ...{ key, channel, stormLimit, secrets: ['hush-hush'], box: 'box-1' },
      ...{ store: outbox, clock, random, log: silentLog, state: newState() },
    });
    void sender.run(stop.signal, hard.signal);
    return sender;
  };
  onTestFinished(() => {
    stop.abort();
    hard.abort();
  });
  const sender = start();
  const put = async (...ids: string[]) => {
    const deliveries = ids.map((alertId) => ({
      ...key,
      alertId,
      event: 'triggered' as const,
      body: JSON.stringify(letter({ alertId, message: `message of ${alertId}` })),
      createdMs: clock.now(),
    }));
    const [added] = await outbox.addDeliveries(deliveries, MAX_WAITING);
    sender.state.waiting += (added?.added ?? 0) - (added?.dropped ?? 0);
    sender.wake();
    await turn();
  };
  return { clock, channel, outbox, sender, start, put, stop, hard };
}

const named = (count: number, from = 1) => Array.from({ length: count }, (_, index) => `a${from + index}`);
const ids = (letters: readonly Letter[]) => letters.map(({ id }) => id.replace('.triggered', ''));

describe('letters', () => {
  it('are sent at once, in order, and leave the outbox when they are taken', async () => {
    const { clock, channel, outbox, sender, put } = rig();
    await put('a1', 'a2', 'a3');
    await clock.advance(0);
    expect(ids(channel.taken)).toEqual(['a1', 'a2', 'a3']);
    expect(await outbox.told('a1', 'a2', 'a3')).toEqual(['a1 triggered delivered', 'a2 triggered delivered', 'a3 triggered delivered']);
    expect(await outbox.pendingDeliveries(key, 10)).toEqual([]);
    expect(sender.state).toMatchObject({ waiting: 0, delivered: 3, failed: 0, lastError: null, lastDeliveredMs: clock.now() });
  });

  it('that the receiver took but for somebody are delivered, with whom it refused', async () => {
    const { channel, outbox, put } = rig();
    channel.remark = 'refused for b@plant';
    await put('a1');
    expect(await outbox.deliveriesOf('default', ['a1'])).toMatchObject([
      { status: 'delivered', attempts: 1, lastError: 'refused for b@plant' },
    ]);
  });

  it('that are not taken are tried again after 5 s, twice that, and so on to a quarter of an hour', async () => {
    const { clock, channel, put } = rig();
    channel.failure = 'not_connected';
    await put('a1');
    await clock.advance(2 * HOUR);
    const pauses = channel.tries.slice(1).map(({ atMs }, index) => (atMs - (channel.tries[index]?.atMs ?? 0)) / SECOND);
    expect(pauses.slice(0, 10)).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 810, 810]);
    expect(new Set(pauses.slice(8))).toEqual(new Set([810]));
  });

  it('spread their tries, so that a hundred boxes do not knock in step', async () => {
    const { clock, channel, put } = rig({ random: () => 0 });
    channel.failure = 'timeout';
    await put('a1');
    await clock.advance(5 * SECOND);
    expect(channel.tries.map(({ atMs }) => atMs)).toEqual([0, 4_000]);
  });

  it('wait for the one before them, and keep their order when the receiver is back', async () => {
    const { clock, channel, put, outbox } = rig();
    channel.failure = 'not_connected';
    await put('a1');
    await put('a2');
    await clock.advance(30 * SECOND);
    expect(new Set(ids(channel.tries.map(({ letter: sent }) => sent)))).toEqual(new Set(['a1']));
    channel.failure = null;
    await clock.advance(20 * SECOND);
    expect(ids(channel.taken)).toEqual(['a1', 'a2']);
    expect((await outbox.deliveriesOf('default', ['a1', 'a2'])).map(({ attempts }) => attempts)).toEqual([4, 1]);
  });

  it('begin with short pauses again once one was taken', async () => {
    const { clock, channel, put } = rig();
    channel.failure = 'not_connected';
    await put('a1');
    await clock.advance(HOUR);
    channel.failure = null;
    await clock.advance(15 * MINUTE);
    channel.failure = 'not_connected';
    await put('a2');
    const before = channel.tries.length;
    await clock.advance(5 * SECOND);
    expect(channel.tries.length).toBe(before + 1);
  });
});

describe('the next letter', () => {
  it('is tried again after short pauses, however long the one before it took', async () => {
    const { clock, channel, put } = rig();
    channel.failures.set('a1.triggered', 'not_connected');
    channel.failures.set('a2.triggered', 'not_connected');
    await put('a1');
    await clock.advance(10 * MINUTE);
    await put('a2');
    channel.failures.delete('a1.triggered');
    await clock.advance(15 * MINUTE);
    const times = channel.tries.filter(({ letter: { id } }) => id === 'a2.triggered').map(({ atMs }) => atMs);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBe(5 * SECOND);
  });

  it('is so too when the one before it was refused for good', async () => {
    const { clock, channel, put } = rig();
    channel.failures.set('a1.triggered', 'not_connected');
    await put('a1');
    await clock.advance(10 * MINUTE);
    channel.failures.set('a1.triggered', 'delivery_refused');
    await clock.advance(15 * MINUTE);
    channel.failure = 'not_connected';
    await put('a2');
    const before = channel.tries.length;
    await clock.advance(5 * SECOND);
    expect(channel.tries.length).toBe(before + 1);
  });

  it('is not missed when it comes while the outbox is being looked at', async () => {
    const { clock, channel, outbox, put } = rig();
    const look = outbox.pendingDeliveries;
    outbox.pendingDeliveries = async (...given) => {
      const found = await look(...given);
      if (found.length > 0) return found;
      outbox.pendingDeliveries = look;
      await put('a2');
      return found;
    };
    await put('a1');
    await clock.advance(0);
    expect(ids(channel.taken)).toEqual(['a1', 'a2']);
  });
});

describe('a letter is given up', () => {
  it('at once when the receiver refuses it for good, and the next one goes', async () => {
    const { clock, channel, outbox, sender, put } = rig();
    channel.failures.set('a1.triggered', 'delivery_refused');
    await put('a1', 'a2');
    await clock.advance(0);
    expect(await outbox.told('a1', 'a2')).toEqual(['a1 triggered failed', 'a2 triggered delivered']);
    expect(sender.state).toMatchObject({ delivered: 1, failed: 1, failedAttempts: 1, waiting: 0 });
  });

  it('after a day, and not before', async () => {
    const { clock, channel, outbox, put } = rig();
    channel.failure = 'delivery_failed';
    await put('a1');
    await clock.advance(23 * HOUR);
    expect(await outbox.told('a1')).toEqual(['a1 triggered pending']);
    await clock.advance(90 * MINUTE);
    expect(await outbox.told('a1')).toEqual(['a1 triggered failed']);
  });

  it('never for its age alone: a box whose clock was wrong still tries once', async () => {
    const { clock, channel, outbox, put } = rig();
    channel.failure = 'not_connected';
    await put('a1', 'a2');
    clock.stepWall(10 * 365 * 24 * HOUR);
    channel.failure = null;
    await clock.advance(5 * SECOND);
    expect(await outbox.told('a1', 'a2')).toEqual(['a1 triggered delivered', 'a2 triggered delivered']);
  });

  it('when it alone is not taken: after six failures every other try is for the one behind it', async () => {
    const { clock, channel, outbox, sender, put } = rig();
    channel.failures.set('a1.triggered', 'delivery_failed');
    await put('a1', 'a2', 'a3');
    await clock.advance(HOUR);
    expect(ids(channel.taken)).toEqual(['a2', 'a3']);
    expect(await outbox.told('a1', 'a2', 'a3')).toEqual(['a1 triggered failed', 'a2 triggered delivered', 'a3 triggered delivered']);
    expect(sender.state.waiting).toBe(0);
    const [first] = await outbox.deliveriesOf('default', ['a1']);
    expect(first?.lastError).toContain('a later message was taken');
  });

  it('not when the one behind it is merely the first that is tried once the receiver is back', async () => {
    const { clock, channel, outbox, sender, put } = rig();
    channel.failure = 'delivery_failed';
    await put('a1', 'a2', 'a3');
    const lastTried = () => ids(channel.tries.slice(-1).map(({ letter: sent }) => sent))[0];
    for (const id of ['a2', 'a1']) while (lastTried() !== id) await clock.advance(5 * SECOND);
    channel.failure = null;
    await clock.advance(HOUR);
    expect(ids(channel.taken)).toEqual(['a2', 'a1', 'a3']);
    expect(await outbox.told('a1', 'a2', 'a3')).toEqual(['a1 triggered delivered', 'a2 triggered delivered', 'a3 triggered delivered']);
    expect(sender.state).toMatchObject({ failed: 0, waiting: 0 });
  });

  it('not when the receiver has gone again before its last try', async () => {
    const { clock, channel, outbox, put } = rig();
    channel.failures.set('a1.triggered', 'not_connected');
    await put('a1', 'a2', 'a3');
    await clock.advance(HOUR);
    expect(ids(channel.taken)).toEqual(['a2', 'a3']);
    expect(await outbox.told('a1')).toEqual(['a1 triggered pending']);
  });
});

describe('a receiver that hangs', () => {
  it('is left after a minute, and tried again', async () => {
    const { clock, channel, sender, put } = rig();
    channel.hangs = true;
    await put('a1');
    await clock.advance(MINUTE);
    expect(sender.state.lastError).toMatchObject({ code: 'timeout' });
    channel.hangs = false;
    await clock.advance(5 * SECOND);
    expect(ids(channel.taken)).toEqual(['a1']);
    expect(sender.state.lastError).toBeNull();
  });

  it('does not hold up the end, and the letter stays for the next start', async () => {
    const { channel, outbox, put, stop, hard, clock } = rig();
    channel.hangs = true;
    await put('a1');
    stop.abort();
    hard.abort();
    await clock.advance(0);
    expect(clock.sleeping).toBe(0);
    expect(await outbox.told('a1')).toEqual(['a1 triggered pending']);
  });
});

describe('a storm', () => {
  it('of 57 in a minute is 20 messages and, when the minute is over, a summary of 37', async () => {
    const { clock, channel, outbox, sender, put } = rig({ stormLimit: 20 });
    await put(...named(57));
    await clock.advance(59 * SECOND);
    expect(ids(channel.taken)).toEqual(named(20));
    await clock.advance(SECOND);
    expect(channel.taken).toHaveLength(21);
    const summary = channel.taken.at(-1);
    expect(summary?.event).toBe('summary');
    expect(summary?.text).toContain('37 further alerts');
    expect(summary?.document).toMatchObject({ summary: { count: 37, triggered: 37, resolved: 0 } });
    expect(sender.state).toMatchObject({ delivered: 21, suppressed: 37, waiting: 0 });
    expect(new Set((await outbox.told(...named(37, 21))).map((line) => line.split(' ')[2]))).toEqual(new Set(['suppressed']));
  });

  it('that goes on is as many messages in each minute, the summary among them', async () => {
    const { clock, channel, put } = rig({ stormLimit: 5 });
    for (let minute = 0; minute < 10; minute++) {
      await put(...named(50, minute * 50));
      await clock.advance(MINUTE);
    }
    const perMinute = Array.from({ length: 10 }, (_, minute) =>
      channel.tries.filter(({ atMs }) => atMs >= minute * MINUTE && atMs < (minute + 1) * MINUTE),
    );
    for (const tries of perMinute) expect(tries.length).toBeLessThanOrEqual(5);
  });

  it('leaves a single one over as it is', async () => {
    const { clock, channel, put } = rig({ stormLimit: 20 });
    await put(...named(21));
    await clock.advance(MINUTE);
    expect(ids(channel.taken)).toEqual(named(21));
  });

  it('of what gathered while the receiver was away is told when it is back, the oldest by themselves', async () => {
    const { clock, channel, sender, put } = rig({ stormLimit: 20 });
    channel.failure = 'not_connected';
    for (let part = 0; part < 10; part++) {
      await put(...named(10, part * 10));
      await clock.advance(7 * MINUTE); // so that it is the oldest's turn when the receiver is back
    }
    channel.failure = null;
    await clock.advance(20 * MINUTE);
    expect(ids(channel.taken).slice(0, 20)).toEqual(named(20, 0));
    expect(channel.taken).toHaveLength(21);
    expect(channel.taken[20]?.document).toMatchObject({ summary: { count: 80 } });
    expect(sender.state).toMatchObject({ waiting: 0, suppressed: 80 });
  });
});

describe('the store', () => {
  it('that fails after a delivery does not make it a second one', async () => {
    const { clock, channel, outbox, put } = rig();
    const send = channel.send.bind(channel);
    channel.send = async (...given) => {
      const taken = await send(...given);
      outbox.failing = true;
      return taken;
    };
    await put('a1');
    await clock.advance(HOUR);
    outbox.failing = false;
    await clock.advance(SECOND);
    expect(channel.tries).toHaveLength(1);
    expect(await outbox.told('a1')).toEqual(['a1 triggered delivered']);
  });

  it('that cannot be read is asked again each second', async () => {
    const { clock, channel, outbox, put } = rig();
    await put('a1');
    outbox.failing = true;
    await clock.advance(MINUTE);
    outbox.failing = false;
    await put('a2');
    await clock.advance(SECOND);
    expect(ids(channel.taken)).toEqual(['a1', 'a2']);
  });

  it('with a message that nobody can read gives up that one', async () => {
    const { clock, channel, outbox, sender, put } = rig();
    await outbox.addDeliveries([{ ...key, alertId: 'old', event: 'triggered', body: '{"id":', createdMs: clock.now() }], 10);
    await put('a1');
    await clock.advance(0);
    expect(await outbox.told('old', 'a1')).toEqual(['old triggered failed', 'a1 triggered delivered']);
    expect(ids(channel.taken)).toEqual(['a1']);
    expect(sender.state.failed).toBe(1);
  });
});

describe('an error', () => {
  it('is shown on one line and without the secrets of the channel', async () => {
    const { channel, outbox, sender, put } = rig();
    channel.failure = 'delivery_failed';
    await put('a1');
    expect(sender.state.lastError?.message).toBe('no, and the password is ******** second line');
    expect((await outbox.deliveriesOf('default', ['a1']))[0]?.lastError).toBe('no, and the password is ******** second line');
  });
});
