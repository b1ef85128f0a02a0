/** The live stream inside: filters, ticks, bounded queues, tokens and ends, on a clock whose hands the test turns. */
import { afterEach, describe, expect, it } from 'vitest';
import { hashToken } from '../../../src/api/auth.ts';
import { LiveHub, type LiveLimits } from '../../../src/api/live/hub.ts';
import { BAD, type StatusCode } from '../../../src/core/status.ts';
import type { Scalar, SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import type { StoredToken } from '../../../src/store/records.ts';
import { FakeServices, type SampleSpec } from '../../support/fake-services.ts';
import { ManualClock, MORNING_MS, turn } from '../../support/manual-clock.ts';
import { SseReader } from '../../support/sse.ts';

/** A client that reads until it is told to stall. */
class Client extends SseReader {
  ended = false;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #reading = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    super();
    this.#reader = stream.getReader();
  }

  read(): this {
    this.#reading = true;
    void this.#loop();
    return this;
  }

  stall(): void {
    this.#reading = false;
  }

  async leave(): Promise<void> {
    await this.#reader.cancel();
  }

  async #loop(): Promise<void> {
    while (this.#reading) {
      const { done, value } = await this.#reader.read();
      if (value) this.take(value);
      if (done) {
        this.ended = true;
        return;
      }
    }
  }
}

class Rig {
  readonly clock = new ManualClock();
  readonly services = new FakeServices();
  readonly hub: LiveHub;

  constructor(limits: Partial<LiveLimits> = {}) {
    const { log, records, series, sources, hear, hearAlerts } = this.services;
    this.hub = new LiveHub({ clock: this.clock, log, records, series, sources, hear, hearAlerts }, limits);
  }

  token(scopes: readonly string[] = ['read:telemetry'], more: Partial<StoredToken> = {}): StoredToken {
    const clear = this.services.addToken(scopes, more);
    return this.services.tokens.find(({ sha256 }) => sha256 === hashToken(clear)) as StoredToken;
  }

  open(token = this.token(), filter: { assets?: string[]; tags?: string[] } = {}): Client {
    return new Client(this.hub.open(token, { tenant: token.tenant, ...filter }));
  }

  /** As apply tells it. */
  say(asset: string, tag: string, value: Scalar, more: Partial<SampleSpec> & { historical?: boolean } = {}): void {
    this.services.addSample({ asset, tag, timeMs: this.clock.now(), value, ...more });
    const { series, timeMs, status } = this.services.samples.at(-1) as { series: SeriesId; timeMs: UnixMs; status: StatusCode };
    const { listener } = this.services;
    const historical = more.historical ?? false;
    if (typeof value === 'string') listener?.text(series, timeMs, value, status, historical);
    else if (typeof value === 'bigint') listener?.integer(series, timeMs, value, true, status, historical);
    else listener?.number(series, timeMs, Number(value), status, historical);
  }
}

let rig: Rig;
afterEach(async () => {
  rig.hub.close();
  await rig.clock.advance(1_000);
  expect(rig.clock.sleeping).toBe(0);
  expect(rig.services.listener).toBeUndefined();
});

describe('telemetry', () => {
  it('comes at once, all readings of a poll in one event, as rows', async () => {
    rig = new Rig();
    const client = rig.open().read();
    rig.say('pump', 'level', 1.5, { source: 'plc' });
    rig.say('pump', 'on', true);
    rig.say('pump', 'mode', 'auto "x"\n');
    rig.say('pump', 'total', 2n ** 60n);
    rig.say('pump', 'broken', Number.NaN, { status: BAD });
    expect(client.events).toEqual([]);
    await rig.clock.advance(1);
    expect(client.retryMs).toBe(3_000);
    expect(client.events.map(({ name }) => name)).toEqual(['telemetry']);
    const timestamp = '2026-01-06T10:00:00Z';
    expect(client.rows).toEqual([
      { asset_id: 'pump', tag_name: 'level', data_source_id: 'plc', timestamp, value: 1.5, quality: 'good' },
      { asset_id: 'pump', tag_name: 'on', data_source_id: 'api', timestamp, value: true, quality: 'good' },
      { asset_id: 'pump', tag_name: 'mode', data_source_id: 'api', timestamp, value: 'auto "x"\n', quality: 'good' },
      { asset_id: 'pump', tag_name: 'total', data_source_id: 'api', timestamp, value: '1152921504606846976', quality: 'good' },
      { asset_id: 'pump', tag_name: 'broken', data_source_id: 'api', timestamp, value: null, quality: 'bad' },
    ]);
    await rig.clock.advance(1_000);
    expect(client.events).toHaveLength(1);
  });

  it('comes the seldomer the more streams are open', async () => {
    rig = new Rig();
    const first = rig.open().read();
    const eventsOf = async (ms: number) => {
      await rig.clock.advance(200);
      first.events.length = 0;
      for (let at = 0; at < ms; at++) {
        rig.say('pump', 'level', at);
        await rig.clock.advance(1);
      }
      expect(first.rows.map(({ value }) => value)).toEqual(
        Array.from({ length: first.rows.length }, (_, index) => first.rows[0].value + index),
      );
      return first.events.length;
    };
    expect(await eventsOf(100)).toBe(20); // every 5 ms
    for (let at = 1; at < 50; at++) rig.open(rig.token()).read();
    expect(await eventsOf(500)).toBe(10); // every 50 ms
    for (let at = 50; at < 120; at++) rig.open(rig.token()).read();
    expect(await eventsOf(1_000)).toBe(10); // never less often than every 100 ms
  });

  it('goes to those who want it, and never to another tenant', async () => {
    rig = new Rig();
    const all = rig.open().read();
    const pump = rig.open(undefined, { assets: ['pump'] }).read();
    const levels = rig.open(undefined, { tags: ['level', 'none'] }).read();
    const none = rig.open(undefined, { assets: ['elsewhere'] }).read();
    const foreign = rig.open(rig.token(['admin'], { tenant: 'northwind' })).read();
    rig.say('pump', 'level', 1);
    rig.say('pump', 'speed', 2);
    rig.say('tank', 'level', 3);
    rig.say('pump', 'level', 4, { tenant: 'northwind' });
    await rig.clock.advance(100);
    const values = (client: Client) => client.rows.map(({ value }) => value);
    expect([all, pump, levels, none, foreign].map(values)).toEqual([[1, 2, 3], [1, 2], [1, 3], [], [4]]);
  });

  it('tells nothing from before the stream, no backfill and nothing late', async () => {
    rig = new Rig();
    const first = rig.open().read();
    rig.say('pump', 'level', 1);
    const second = rig.open().read();
    rig.say('pump', 'level', 2, { historical: true });
    rig.say('pump', 'level', 3);
    await rig.clock.advance(100);
    expect(first.rows.map(({ value }) => value)).toEqual([1, 3]);
    expect(second.rows.map(({ value }) => value)).toEqual([3]);
  });

  it('finds new series while it runs', async () => {
    rig = new Rig();
    const client = rig.open(undefined, { assets: ['late'] }).read();
    for (let index = 0; index < 1_100; index++) rig.say('early', `tag-${index}`, index);
    rig.say('late', 'level', 7);
    await rig.clock.advance(100);
    expect(client.rows.map(({ value }) => value)).toEqual([7]);
  });

  it('keeps order and loses nothing when more comes in a tick than it gathers', async () => {
    rig = new Rig({ queueBytes: 10_000_000 });
    const client = rig.open().read();
    for (let value = 0; value < 10_000; value++) rig.say('pump', 'level', value);
    await rig.clock.advance(200);
    expect(client.rows.map(({ value }) => value)).toEqual(Array.from({ length: 10_000 }, (_, index) => index));
    expect(client.events.length).toBeGreaterThan(20);
  });

  it('costs nothing while nobody listens', async () => {
    rig = new Rig();
    expect(rig.services.listener).toBeUndefined();
    const client = rig.open().read();
    expect(rig.services.listener).toBeDefined();
    await client.leave();
    expect(rig.services.listener).toBeUndefined();
    await rig.clock.advance(100);
    expect(rig.clock.sleeping).toBe(0);
    const again = rig.open().read();
    rig.say('pump', 'level', 1);
    await rig.clock.advance(100);
    expect(again.rows).toHaveLength(1);
  });
});

describe('a client that does not keep up', () => {
  it('has a queue of so many bytes, loses the oldest, and is told how much where it happened', async () => {
    rig = new Rig({ queueBytes: 2_000 });
    const token = rig.token();
    const stalled = rig.open(token);
    const other = rig.open(token).read();
    const rounds = 200;
    for (let value = 0; value < rounds; value++) {
      rig.say('pump', 'level', value);
      await rig.clock.advance(100);
      expect(rig.hub.state.queuedBytes).toBeLessThanOrEqual(2_000);
    }
    expect(other.rows).toHaveLength(rounds);
    expect(other.dropped).toBe(0);
    stalled.read();
    await turn();
    expect(stalled.events.map(({ name }) => name)).toEqual(['dropped', ...stalled.rows.map(() => 'telemetry')]);
    expect(stalled.dropped).toBeGreaterThan(100);
    expect(stalled.dropped + stalled.rows.length).toBe(rounds);
    expect(stalled.rows.at(-1).value).toBe(rounds - 1);
    rig.say('pump', 'level', -1);
    await rig.clock.advance(100);
    expect(stalled.rows.at(-1).value).toBe(-1);
    expect(rig.hub.state.queuedBytes).toBe(0);
    const { sent, lost } = rig.hub.state;
    expect(sent).toEqual({ telemetry: stalled.rows.length + other.rows.length, source: 0, alert: 0, dropped: 1 });
    expect(lost).toEqual({ queue_full: stalled.dropped, ended: 0 });
  });

  it('has what still waited counted as lost when it leaves', async () => {
    rig = new Rig();
    const stalled = rig.open();
    for (const value of [1, 2, 3]) rig.say('pump', 'level', value);
    await rig.clock.advance(100);
    expect(rig.hub.state.lost).toEqual({ queue_full: 0, ended: 0 });
    await stalled.leave();
    expect(rig.hub.state.lost).toEqual({ queue_full: 0, ended: 3 });
  });

  it('gets the newest state of each source all the same', async () => {
    rig = new Rig({ queueBytes: 100 });
    rig.services.addSource({ id: 'plc' });
    const stalled = rig.open(rig.token(['admin']));
    for (const state of ['back_off', 'connected', 'faulted'] as const) {
      rig.services.allSources[0] = { ...(rig.services.allSources[0] as (typeof rig.services.allSources)[0]), state };
      await rig.clock.advance(500);
    }
    stalled.read();
    await turn();
    expect(stalled.events.map(({ name, data }) => [name, data.data.state])).toEqual([['source', 'faulted']]);
  });
});

describe('sources', () => {
  it('tell their state at the start and when it changes, to those who may list them', async () => {
    rig = new Rig();
    rig.services.addSource({ id: 'plc', reason: null });
    rig.services.addSource({ id: 'theirs', tenant: 'northwind' });
    const client = rig.open(rig.token(['read:telemetry', 'read:assets'])).read();
    const other = rig.open(rig.token(['read:telemetry'])).read();
    await rig.clock.advance(2_000);
    const time = '2026-01-06T10:00:00Z';
    const plc = { id: 'plc', name: 'plc', type: 'modbus', status: 'connected', state: 'connected', reason: null, time };
    expect(client.events).toEqual([{ name: 'source', data: { data: plc } }]);
    rig.services.allSources[0] = {
      ...(rig.services.allSources[0] as (typeof rig.services.allSources)[0]),
      state: 'back_off',
      reason: 'no answer',
    };
    await rig.clock.advance(500);
    expect(client.events[1]?.data.data).toMatchObject({ id: 'plc', status: 'disconnected', state: 'back_off', reason: 'no answer' });
    expect(client.events).toHaveLength(2);
    expect(other.events).toEqual([]);
  });

  it('tell that they are gone, once, and begin anew when they come back', async () => {
    rig = new Rig();
    rig.services.addSource({ id: 'plc', name: 'Press PLC' });
    rig.services.addSource({ id: 'cell' });
    const client = rig.open(rig.token(['read:telemetry', 'read:assets'])).read();
    await rig.clock.advance(1_000);
    const [plc] = rig.services.allSources.splice(0, 1);
    await rig.clock.advance(2_000);
    const time = '2026-01-06T10:00:01.500Z';
    expect(client.events.slice(2)).toEqual([
      {
        name: 'source',
        data: { data: { id: 'plc', name: 'Press PLC', type: 'modbus', status: 'disconnected', state: 'removed', reason: null, time } },
      },
    ]);
    rig.services.allSources.push(plc as (typeof rig.services.allSources)[0]);
    await rig.clock.advance(2_000);
    expect(client.events.slice(3).map(({ data }) => data.data)).toMatchObject([{ id: 'plc', state: 'connected' }]);
  });
});

describe('a stream', () => {
  it('shows a sign of life after 15 s without anything to say, and only then', async () => {
    rig = new Rig();
    const client = rig.open().read();
    await rig.clock.advance(14_900);
    expect(client.comments).toBe(0);
    await rig.clock.advance(100);
    expect(client.comments).toBe(1);
    await rig.clock.advance(10_000);
    rig.say('pump', 'level', 1);
    await rig.clock.advance(14_900);
    expect(client.comments).toBe(1);
    await rig.clock.advance(200);
    expect(client.comments).toBe(2);
  });

  it('ends when its token is revoked, has expired, or is gone; others go on', async () => {
    rig = new Rig();
    const revoked = rig.token();
    const clients = [revoked, rig.token([], { expiresMs: (MORNING_MS + 3_000) as UnixMs, scopes: ['read:telemetry'] }), rig.token()].map(
      (token) => rig.open(token).read(),
    );
    await rig.clock.advance(2_000);
    expect(clients.map(({ ended }) => ended)).toEqual([false, false, false]);
    const index = rig.services.tokens.indexOf(revoked);
    rig.services.tokens[index] = { ...revoked, revokedMs: rig.clock.now() };
    await rig.clock.advance(5_000);
    expect(clients.map(({ ended }) => ended)).toEqual([true, true, false]);
    expect(rig.hub.state.streams).toBe(1);
  });

  it('goes on while the store is silent about its token', async () => {
    rig = new Rig();
    const client = rig.open().read();
    rig.services.records.tokenByHash = () => Promise.reject(new Error('the disk hangs'));
    await rig.clock.advance(20_000);
    expect(client.ended).toBe(false);
  });

  it('is one of so many for each token and in all', async () => {
    rig = new Rig({ streams: 3, streamsPerToken: 2 });
    const [one, other] = [rig.token(), rig.token()];
    const first = rig.open(one);
    rig.open(one);
    expect(() => rig.open(one)).toThrow(expect.objectContaining({ code: 'rate_limited', retryAfterS: 5 }));
    rig.open(other);
    expect(() => rig.open(other)).toThrow(expect.objectContaining({ code: 'overloaded' }));
    await first.leave();
    expect(rig.open(one)).toBeDefined();
  });

  it('ends at once when the box stops, stalled or not, and none begins any more', async () => {
    rig = new Rig();
    const client = rig.open().read();
    const stalled = rig.open();
    rig.say('pump', 'level', 1);
    rig.hub.close();
    await turn();
    expect(client.ended).toBe(true);
    stalled.read();
    await turn();
    expect(stalled.ended).toBe(true);
    expect(rig.hub.state).toMatchObject({ streams: 0, queuedBytes: 0 });
    expect(() => rig.open()).toThrow(expect.objectContaining({ code: 'stopped' }));
  });
});
