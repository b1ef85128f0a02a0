/** Writes and reads from above: in line for each tag, bounded in number and time, ended with the run, and in the books. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { BAD_TIMEOUT, GOOD } from '../../src/core/status.ts';
import type { Scalar } from '../../src/core/tag.ts';
import type { Readback, Reading, TagRef } from '../../src/drivers/driver.ts';
import type { WriteOutcome } from '../../src/ingest/commands.ts';
import { turn } from '../support/manual-clock.ts';
import { type Bench, bench, missingIn } from './bench.ts';
import { CREATED_MS, type FakeDriver, never, type Plant, plant, source, untilAbort } from './fake-driver.ts';

const PERSIST = new AbortController().signal;
const ref = (tagName: string): TagRef => ({ assetId: 'pump', tagName });
const writableTags = ['power', 'speed', 'mode'].map((tag_name) => ({ tag_name, asset_id: 'pump', writable: true }));
const TAGS = [...writableTags, { tag_name: 'flow', asset_id: 'pump', writable: false }];

const reading = (tag: TagRef, value: Scalar | null): Reading => ({
  ...tag,
  value,
  status: value === null ? BAD_TIMEOUT : GOOD,
  timeMs: CREATED_MS,
});
const confirm = async (tag: TagRef, value: Scalar): Promise<Readback> => ({ reading: reading(tag, value), confirmed: true });

interface Rig {
  readonly b: Bench;
  readonly p: Plant;
  write(tag: string, value?: Scalar, signal?: AbortSignal): Promise<WriteOutcome>;
}

/** A connected source `plc` whose driver writes as the test says. */
async function rig(write?: FakeDriver['write'], how: (driver: FakeDriver) => void = () => undefined): Promise<Rig> {
  const b = bench();
  const p = plant(b);
  p.prepare('plc', (driver) => {
    if (write) driver.write = write;
    how(driver);
  });
  p.supervisor.add(source('plc', { tags: TAGS }), CREATED_MS);
  await b.clock.advance(0);
  return { b, p, write: (tag, value = 1, signal = PERSIST) => p.supervisor.write('plc', ref(tag), value, signal) };
}

/** At every instant requested = confirmed + Σ failed + pending. */
function expectBalanced({ p }: Rig): void {
  const { requested, confirmed, failed, pending } = p.view('plc').writes;
  expect(confirmed + pending + Object.values(failed).reduce((sum, count) => sum + count, 0)).toBe(requested);
}

describe('a write', () => {
  it('gives what the device confirms, with its time, and is booked', async () => {
    const r = await rig(async (tag) => confirm(tag, 0.5));
    expect(await r.write('speed', 0.5)).toEqual({ ok: true, value: 0.5, timeMs: CREATED_MS });
    expect(r.p.view('plc').writes).toEqual({ requested: 1, confirmed: 1, failed: {}, pending: 0 });
    expect(r.p.supervisor.lastWrite('plc', ref('speed'))).toMatchObject({ value: 0.5, outcome: { ok: true } });
    expect(r.p.supervisor.lastWrite('plc', ref('power'))).toBeUndefined();
  });

  it('that the device does not show is not confirmed, and says what it shows', async () => {
    const r = await rig(async (tag) => ({ reading: reading(tag, 25), confirmed: false }));
    expect(await r.write('speed', 30)).toEqual({
      ok: false,
      code: 'write_not_confirmed',
      message: 'the device took the write of 30 to "speed", and shows 25',
      reported: reading(ref('speed'), 25),
    });
    expect(r.p.supervisor.lastWrite('plc', ref('speed'))?.outcome.ok).toBe(false);
    expectBalanced(r);
  });

  it('that the driver rejects keeps its code and its words', async () => {
    const r = await rig(async () => {
      throw new GatewayError('write_refused', 'exception 2');
    });
    expect(await r.write('power')).toEqual({ ok: false, code: 'write_refused', message: 'exception 2' });
    expect(r.p.view('plc').writes).toEqual({ requested: 1, confirmed: 0, failed: { write_refused: 1 }, pending: 0 });
    expect(r.p.lines.filter(([level]) => level === 'warn').map(([, fields]) => fields)).toMatchObject([
      { code: 'write_refused', tag: 'power' },
    ]);
  });

  it('that fails in a way nobody foresaw is an outcome too, and is logged with its stack', async () => {
    const r = await rig(async () => {
      throw new TypeError('x is undefined');
    });
    expect(await r.write('power')).toMatchObject({ ok: false, code: 'protocol' });
    expect(r.p.lines.filter(([level]) => level === 'error')).toHaveLength(1);
    expectBalanced(r);
  });

  it('goes nowhere near the driver for a tag that is not writable, a source that is not there, or a driver that cannot', async () => {
    let calls = 0;
    const r = await rig(async (tag, value) => {
      calls++;
      return confirm(tag, value);
    });
    expect(await r.write('flow')).toMatchObject({ ok: false, code: 'not_writable' });
    expect(await r.p.supervisor.write('nobody', ref('power'), 1, PERSIST)).toMatchObject({ ok: false, code: 'unknown_tag' });
    expect(calls).toBe(0);
    expect(r.p.supervisor.lastWrite('plc', ref('flow'))).toBeUndefined();
    const without = await rig();
    expect(await without.write('power')).toMatchObject({ ok: false, code: 'not_supported' });
  });

  it('is refused as not writable also while the source is away', async () => {
    const r = await rig(confirm, (driver) => {
      driver.onConnect = async () => {
        throw new GatewayError('not_connected', 'no route');
      };
    });
    expect(await r.write('flow')).toMatchObject({ code: 'not_writable' });
    expect(await r.write('power')).toEqual({ ok: false, code: 'not_connected', message: 'source "plc" is not connected: no route' });
  });
});

describe('writes at once', () => {
  it('to one tag follow each other; those to another tag do not wait for them', async () => {
    const events: string[] = [];
    const r: Rig = await rig(async (tag, value): Promise<Readback> => {
      events.push(`${tag.tagName} ${value} begins`);
      await r.b.clock.sleep(tag.tagName === 'speed' ? 100 : 10);
      events.push(`${tag.tagName} ${value} ends`);
      return confirm(tag, value);
    });
    const all = Promise.all([r.write('speed', 1), r.write('speed', 2), r.write('power', 3)]);
    await r.b.clock.advance(300);
    expect((await all).map((outcome) => outcome.ok)).toEqual([true, true, true]);
    expect(events).toEqual(['speed 1 begins', 'power 3 begins', 'power 3 ends', 'speed 1 ends', 'speed 2 begins', 'speed 2 ends']);
  });

  it('that fail do not stop those behind them', async () => {
    const r = await rig(async (tag, value) => {
      if (value === 1) throw new GatewayError('write_refused', 'no');
      return confirm(tag, value);
    });
    expect((await Promise.all([r.write('speed', 1), r.write('speed', 2)])).map(({ ok }) => ok)).toEqual([false, true]);
  });

  it('are 64 at most for a source; the next is told to come again, and a place becomes free', async () => {
    const r = await rig(never);
    const signals = Array.from({ length: 64 }, () => new AbortController());
    const waiting = signals.map((it) => r.write('speed', 1, it.signal));
    expect(await r.write('power')).toMatchObject({ ok: false, code: 'overloaded' });
    expect(r.p.view('plc').writes.pending).toBe(64);
    expectBalanced(r);
    signals.at(-1)?.abort();
    expect(await waiting.at(-1)).toMatchObject({ ok: false, code: 'cancelled' });
    void r.write('power');
    await turn();
    expect(r.p.view('plc').writes.pending).toBe(64);
    expect(r.p.supervisor.lastWrite('plc', ref('power'))).toBeUndefined();
  });
});

describe('the end of a write', () => {
  it('comes after half a minute, whatever the driver does, and the next one gets its turn', async () => {
    let calls = 0;
    const r = await rig((tag, value) => (calls++ === 0 ? never() : confirm(tag, value)));
    const stuck = r.write('speed', 1);
    await r.b.clock.advance(1_000);
    const next = r.write('speed', 2);
    await r.b.clock.advance(28_999);
    expect(r.p.view('plc').writes.pending).toBe(2);
    await r.b.clock.advance(1);
    expect(await stuck).toMatchObject({ ok: false, code: 'timeout' });
    expect(await next).toMatchObject({ ok: true, value: 2 });
    expect(calls).toBe(2);
    expect(r.b.clock.sleeping).toBe(0);
    expectBalanced(r);
  });

  it('comes at once when the link is lost: for the one under way and for those that wait, which are never sent', async () => {
    const sent: Scalar[] = [];
    let lose: (reason: Error) => void = () => {};
    const r = await rig(
      (_tag, value) => {
        sent.push(value);
        return never();
      },
      (driver) => {
        driver.onRun = () => new Promise((_, reject) => (lose = reject));
      },
    );
    const all = [r.write('speed', 1), r.write('speed', 2)];
    await turn();
    lose(new GatewayError('not_connected', 'reset by peer'));
    for (const one of all)
      expect(await one).toMatchObject({ ok: false, code: 'not_connected', message: 'the link was lost: reset by peer' });
    await r.b.clock.advance(0);
    expect(sent).toEqual([1]);
    expectBalanced(r);
  });

  it.each([
    ['stopped', (r: Rig) => r.p.supervisor.stop()],
    ['changed', (r: Rig) => r.p.supervisor.change(source('plc', { tags: TAGS, config: { host: 'other' } }))],
    ['removed', (r: Rig) => r.p.supervisor.remove('plc')],
  ])('comes at once when the source is %s', async (_how, act) => {
    let stop: AbortSignal | undefined;
    const r = await rig((_tag, _value, signal) => {
      stop = signal;
      return never();
    });
    const writing = r.write('speed');
    await turn();
    const acting = act(r);
    expect(await writing).toMatchObject({ ok: false, code: 'stopped' });
    expect(stop?.aborted).toBe(true);
    await acting;
  });

  it('of a changed source leaves its books whole, and the new run takes writes', async () => {
    const r = await rig(confirm);
    await r.write('speed', 7);
    await r.p.supervisor.change(source('plc', { tags: TAGS, config: { host: 'other' } }));
    await r.b.clock.advance(0);
    expect(await r.write('speed', 8)).toMatchObject({ ok: true, value: 8 });
    expect(r.p.view('plc').writes).toMatchObject({ requested: 2, confirmed: 2 });
    await r.p.supervisor.remove('plc');
    expect(r.p.supervisor.lastWrite('plc', ref('speed'))).toBeUndefined();
  });

  it('comes as cancelled when the caller goes, and as timeout when the caller has set one', async () => {
    const r = await rig(never);
    const gone = new AbortController();
    const writing = r.write('speed', 1, gone.signal);
    await turn();
    gone.abort();
    expect(await writing).toMatchObject({ code: 'cancelled' });
    expect(await r.write('speed', 1, AbortSignal.timeout(1))).toMatchObject({ code: 'timeout' });
  });
});

describe('reading now', () => {
  it('asks each source once, all at the same time, and answers in the order of the tags', async () => {
    const b = bench();
    const p = plant(b);
    const asked: string[] = [];
    for (const id of ['a', 'b']) {
      p.prepare(id, (driver) => {
        driver.readNow = async (tags) => {
          asked.push(`${id} ${tags.map(({ tagName }) => tagName)}`);
          await b.clock.sleep(100);
          return tags.map((tag) => reading(tag, tag.tagName === 'bad' ? null : `${id}.${tag.tagName}`));
        };
      });
      p.supervisor.add(source(id), CREATED_MS);
    }
    p.supervisor.add(source('mute'), CREATED_MS);
    await b.clock.advance(0);
    const tags = [
      ['a', 'x'],
      ['b', 'y'],
      ['mute', 'z'],
      ['a', 'bad'],
      ['nobody', 'w'],
    ].map(([sourceId = '', tagName = '']) => ({ sourceId, ...ref(tagName) }));
    const reads = p.supervisor.readNow(tags, PERSIST);
    await b.clock.advance(100);
    expect(asked).toEqual(['a x,bad', 'b y']);
    expect(await reads).toMatchObject([
      { ok: true, reading: { tagName: 'x', value: 'a.x' } },
      { ok: true, reading: { tagName: 'y', value: 'b.y' } },
      { ok: false, code: 'not_supported' },
      { ok: true, reading: { tagName: 'bad', value: null } },
      { ok: false, code: 'unknown_tag' },
    ]);
  });

  it('ends when its signal does, and with the link', async () => {
    const r = await rig(undefined, (driver) => {
      driver.readNow = never;
    });
    const tags = [{ sourceId: 'plc', ...ref('flow') }];
    const timeout = new AbortController();
    const read = r.p.supervisor.readNow(tags, timeout.signal);
    timeout.abort(new GatewayError('timeout', 'the sync took too long'));
    expect(await read).toEqual([{ ok: false, code: 'timeout', message: 'the sync took too long' }]);
    const other = r.p.supervisor.readNow(tags, PERSIST);
    await r.p.supervisor.stop();
    expect(await other).toMatchObject([{ ok: false, code: 'stopped' }]);
    expect(await r.p.supervisor.readNow(tags, PERSIST)).toMatchObject([{ ok: false, code: 'not_connected' }]);
  });

  it('leaves the books of the readings whole: what it emits passes the door of the run', async () => {
    const r = await rig(undefined, (driver) => {
      driver.onRun = async (emit, signal) => {
        const series = emit.series({ asset: 'pump', tag: 'flow' });
        driver.readNow = async (tags) => {
          if (series !== undefined) emit.number(series, undefined, 4.5, GOOD);
          return tags.map((tag) => reading(tag, 4.5));
        };
        await untilAbort(signal);
      };
    });
    await r.p.supervisor.readNow([{ sourceId: 'plc', ...ref('flow') }], PERSIST);
    expect(r.b.stored().map(({ value }) => value)).toEqual([4.5]);
    expect(missingIn(r.p.view('plc').ledger)).toBe(0);
  });
});
