/** Many sources at once: one is added, changed, taken away, and the others never notice. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { BAD_NO_COMMUNICATION, GOOD } from '../../src/core/status.ts';
import { turn } from '../support/manual-clock.ts';
import { type Bench, bench, missingIn } from './bench.ts';
import { CREATED_MS, counting, type FakeDriver, never, type Plant, plant, source, untilAbort } from './fake-driver.ts';

const PERIOD_MS = 100;

function running(ids: readonly string[]) {
  const b = bench({ slots: 4_096 });
  const p = plant(b);
  for (const id of ids) {
    p.prepare(id, (driver) => {
      driver.onRun = counting(b, PERIOD_MS);
    });
    p.supervisor.add(source(id), CREATED_MS);
  }
  return { b, p };
}

/** What the store holds of a source is 0, 1, 2, … without a gap. */
function expectWhole(b: Bench, id: string, count: number): void {
  expect(b.stored(id).map(({ value }) => value)).toEqual(Array.from({ length: count }, (_, index) => index));
}

describe('the tags of an asset', () => {
  it('are those that the sources of the tenant name, under the source’s own id where they name no asset', async () => {
    const { p } = running([]);
    const tag = (tag_name: string | undefined, asset_id?: string) => ({ tag_name, asset_id, writable: false });
    p.supervisor.add(source('a', { tags: [tag('level', 'pump'), tag('speed'), tag(undefined, 'pump')] }), CREATED_MS);
    p.supervisor.add(source('b', { tags: [tag('level', 'pump')] }), CREATED_MS);
    p.supervisor.add(source('c', { tenant: 'other', tags: [tag('level', 'pump')] }), CREATED_MS);
    expect(p.supervisor.tagsOf('default', 'pump')).toEqual([
      { sourceId: 'a', assetId: 'pump', tagName: 'level' },
      { sourceId: 'b', assetId: 'pump', tagName: 'level' },
    ]);
    expect(p.supervisor.tagsOf('default', 'a')).toEqual([{ sourceId: 'a', assetId: 'a', tagName: 'speed' }]);
    expect(p.supervisor.sourceIds('other')).toEqual(['c']);
    expect(p.supervisor.specOf('c')?.tenant).toBe('other');
    expect(p.supervisor.specOf('none')).toBeUndefined();
  });
});

describe('a change of one source at run time', () => {
  it('does not touch the others: not a reading of theirs is lost, none of their drivers is called', async () => {
    const { b, p } = running(['a', 'b', 'c']);
    await b.clock.advance(1_000);
    const changes = (async () => {
      for (let round = 1; round <= 5; round++) {
        await p.supervisor.change(source('b', { config: { round } }));
        await b.clock.sleep(150);
      }
      await p.supervisor.remove('b');
      p.supervisor.add(source('d'), CREATED_MS);
    })();
    await b.clock.advance(2_000);
    await changes;
    await b.clock.advance(1_000);
    for (const id of ['a', 'c']) {
      expectWhole(b, id, 41);
      expect(p.view(id).ledger).toMatchObject({ received: 41, dropped: {} });
      expect(p.driver(id)).toMatchObject({ connects: [0], runs: [0], closes: [] });
    }
    expect(p.made.map((made) => made.source)).toEqual(['a', 'b', 'c', 'b', 'b', 'b', 'b', 'b', 'd']);
    expect(p.supervisor.list().map(({ id }) => id)).toEqual(['a', 'c', 'd']);
  });

  it('does not wait for others that hang', async () => {
    const { b, p } = running(['a', 'b']);
    await b.clock.advance(100);
    p.prepare('b', (driver) => {
      driver.onConnect = never;
    });
    await p.supervisor.change(source('b', { config: { round: 1 } }));
    await b.clock.advance(0);
    const stuck = p.supervisor.change(source('b', { config: { round: 2 } }));
    await p.supervisor.change(source('a', { config: { round: 2 } }));
    await b.clock.advance(0);
    expect(p.view('a').state).toBe('connected');
    await b.clock.advance(3_000);
    await stuck;
  });

  it('keeps the books, the time of creation and the series of the source', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(950);
    p.prepare('a', (driver) => {
      driver.onRun = counting(b, PERIOD_MS, 10);
    });
    await p.supervisor.change(source('a', { config: { round: 1 } }));
    await b.clock.advance(950);
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    expect(b.stored('a').map(({ value }) => value)).toEqual([...numbers.slice(0, 10), Number.NaN, ...numbers.slice(10)]);
    expect(p.view('a')).toMatchObject({ createdMs: CREATED_MS, ledger: { received: 21, committed: 21 } });
    expect(missingIn(p.view('a').ledger)).toBe(0);
    expect(new Set(b.stored('a').map(({ series }) => series)).size).toBe(1);
  });

  it('that changes nothing restarts nothing', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(100);
    await p.supervisor.change(source('a'));
    expect(p.made).toHaveLength(1);
    expect(p.driver('a').closes).toEqual([]);
  });

  it('of its name alone leaves the link as it is', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(250);
    await p.supervisor.change(source('a', { name: 'Press' }));
    await b.clock.advance(250);
    expect(p.view('a').name).toBe('Press');
    expect(p.supervisor.specOf('a')?.name).toBe('Press');
    expect(p.driver('a')).toMatchObject({ connects: [0], closes: [] });
    expectWhole(b, 'a', 6);
  });

  describe('of its tags', () => {
    const tagged = (...names: string[]) =>
      source('a', { tags: names.map((tag_name) => ({ tag_name, asset_id: 'pump', writable: false })) });

    /** Source a sends `n` each 100 ms, and has sent `m` once. */
    async function withTags(retag: FakeDriver['retag'] | undefined) {
      const { b, p } = running([]);
      p.prepare('a', (driver) => {
        if (retag) driver.retag = retag;
        driver.onRun = (emit, signal) => {
          const m = emit.series({ asset: 'pump', tag: 'm' });
          if (m !== undefined) emit.number(m, undefined, 7, GOOD);
          return counting(b, PERIOD_MS)(emit, signal);
        };
      });
      p.supervisor.add(tagged('n', 'm'), CREATED_MS);
      await b.clock.advance(250);
      const samplesOf = (tag: string) => b.stored('a').filter(({ series }) => b.pipeline.tags.definition(series).tag === tag);
      return { b, p, samplesOf };
    }

    it('leaves the link where the driver takes them over: tags that go on lose nothing, the others get one bad sample', async () => {
      const given: unknown[] = [];
      const { b, p, samplesOf } = await withTags(async (tags, leave) => {
        given.push(tags);
        leave(({ tagName }) => tagName === 'n');
      });
      await p.supervisor.change({ ...tagged('n', 'o'), name: 'Press' });
      await b.clock.advance(250);
      expect(p.driver('a')).toMatchObject({ connects: [0], closes: [] });
      expect(given).toEqual([tagged('n', 'o').tags]);
      expect(samplesOf('n').map(({ value, status }) => [value, status])).toEqual([0, 1, 2, 3, 4, 5].map((value) => [value, GOOD]));
      expect(samplesOf('m').map(({ value, status }) => [value, status])).toEqual([
        [7, GOOD],
        [Number.NaN, BAD_NO_COMMUNICATION],
      ]);
      expect(p.supervisor.specOf('a')).toEqual({ ...tagged('n', 'o'), name: 'Press' });
      expect(p.view('a')).toMatchObject({ name: 'Press', tagCount: 2, errors: 0 });
      expect(missingIn(p.view('a').ledger)).toBe(0);
    });

    /** Source a runs until the test loses its link. */
    async function losable(retag: NonNullable<FakeDriver['retag']>) {
      const { b, p } = running([]);
      let lose = () => {};
      p.prepare('a', (driver) => {
        driver.retag = retag;
        driver.onRun = () =>
          new Promise((_, reject) => {
            lose = () => reject(new GatewayError('not_connected', 'gone'));
          });
      });
      p.supervisor.add(tagged('n'), CREATED_MS);
      await b.clock.advance(0);
      return { b, p, lose: () => lose() };
    }

    it('makes a driver that is given up later with the new tags', async () => {
      const { b, p, lose } = await losable(async (_tags, leave) => leave(() => true));
      await p.supervisor.change(tagged('o'));
      const loaded: unknown[] = [];
      p.onLoad = async (spec) => void loaded.push(spec.tags);
      p.driver('a').onClose = () => Promise.reject(new Error('jammed'));
      lose();
      await b.clock.advance(1_000);
      expect(p.made).toHaveLength(2);
      expect(loaded).toEqual([tagged('o').tags]);
    });

    it.each([
      ['has no way to do it', undefined],
      ['fails', () => Promise.reject(new GatewayError('timeout', 'no answer'))],
      ['hangs', never],
    ])('starts the source anew where the driver %s', async (_what, retag) => {
      const { b, p, samplesOf } = await withTags(retag);
      const changed = p.supervisor.change(tagged('n'));
      await b.clock.advance(12_500);
      await changed;
      await b.clock.advance(100);
      expect(p.made).toHaveLength(2);
      expect(p.supervisor.specOf('a')).toEqual(tagged('n'));
      expect(p.view('a').state).toBe('connected');
      expect(samplesOf('n').filter(({ status }) => status === BAD_NO_COMMUNICATION)).toHaveLength(1);
    });

    it('starts the source anew where the link is lost meanwhile, though the driver has done it', async () => {
      let done = () => {};
      const { b, p, lose } = await losable(
        () =>
          new Promise((resolve) => {
            done = resolve;
          }),
      );
      const changed = p.supervisor.change(tagged('o'));
      await b.clock.advance(0);
      lose();
      await b.clock.advance(0);
      done();
      await b.clock.advance(0);
      await changed;
      await b.clock.advance(0);
      expect(p.made).toHaveLength(2);
      expect(p.supervisor.specOf('a')).toEqual(tagged('o'));
      expect(p.view('a').state).toBe('connected');
    });
  });

  it('closes the door of the old run: what it still sends is counted', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(250);
    const { emit } = p.driver('a');
    await p.supervisor.change(source('a', { config: { round: 1 } }));
    const series = emit?.series({ asset: 'pump', tag: 'n' });
    if (emit && series !== undefined) emit.number(series, undefined, 99, GOOD);
    expect(p.view('a').ledger.dropped).toEqual({ closed: 1 });
  });

  it('of an unknown source adds it', async () => {
    const { b, p } = running([]);
    await p.supervisor.change(source('new'));
    await b.clock.advance(0);
    expect(p.view('new')).toMatchObject({ state: 'connected', createdMs: CREATED_MS });
  });

  it('follows the one before it, so that the last one said is the one that stays', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(100);
    const all = [
      p.supervisor.change(source('a', { name: 'one' })),
      p.supervisor.remove('a'),
      p.supervisor.change(source('a', { name: 'two' })),
      p.supervisor.change(source('a', { name: 'three' })),
    ];
    await Promise.all(all);
    await b.clock.advance(0);
    expect(p.supervisor.list().map(({ id, name, state }) => [id, name, state])).toEqual([['a', 'three', 'connected']]);
    const alive = p.made.filter(({ driver }) => driver.runs.length > driver.closes.length);
    expect(alive).toHaveLength(1);
  });

  it('that cannot be made leaves the source as it was, and does not block the next one', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(100);
    await expect(p.supervisor.change(source('a', { config: 'nonsense' }))).rejects.toThrow('no endpoint');
    expect(p.view('a')).toMatchObject({ name: 'a', state: 'connected' });
    expect(p.driver('a').closes).toEqual([]);
    await p.supervisor.change(source('a', { name: 'two' }));
    await b.clock.advance(0);
    expect(p.view('a')).toMatchObject({ name: 'two', state: 'connected' });
  });
});

describe('the tags of a source that ends while the box goes on', () => {
  const ends: readonly (readonly [string, (p: Plant) => Promise<void>])[] = [
    ['is deleted', (p) => p.supervisor.remove('a')],
    ['is switched off', (p) => p.supervisor.change(source('a', { enabled: false }))],
    ['connects elsewhere', (p) => p.supervisor.change(source('a', { config: { host: 'other' } }))],
  ];
  it.each(ends)('get one bad sample each when it %s, and no more', async (_how, end) => {
    const { b, p } = running(['a', 'b']);
    await b.clock.advance(450);
    p.prepare('a', (driver) => {
      driver.onConnect = never;
    });
    await end(p);
    await b.clock.advance(60_000);
    const own = b.stored('a').filter(({ status }) => status === BAD_NO_COMMUNICATION);
    expect(own).toMatchObject([{ value: Number.NaN, timeMs: CREATED_MS + 450 }]);
    expect(b.stored('a').at(-1)).toBe(own[0]);
    expect(b.stored('b').every(({ status }) => status === GOOD)).toBe(true);
  });

  it('have it already when the link was lost before', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(450);
    p.prepare('a', (driver) => {
      driver.onConnect = never;
    });
    await p.supervisor.change(source('a', { config: { host: 'other' } }));
    const removed = p.supervisor.remove('a');
    await b.clock.advance(3_000); // as long as a driver that hangs may take
    await removed;
    expect(b.stored('a').filter(({ status }) => status === BAD_NO_COMMUNICATION)).toHaveLength(1);
  });

  it('get it at the start when it was switched off while the box was down', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(450);
    await p.supervisor.stop();
    expect(b.stored('a').at(-1)).toMatchObject({ status: GOOD });
    const after = plant(b);
    after.supervisor.add(source('a', { enabled: false }), CREATED_MS);
    await b.clock.advance(100);
    expect(b.stored('a').at(-1)).toMatchObject({ status: BAD_NO_COMMUNICATION });
  });

  it('are not touched when the box itself stops', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(450);
    await p.supervisor.stop();
    expect(b.stored('a').every(({ status }) => status === GOOD)).toBe(true);
  });

  it('are those of the next one when another of the same id has begun meanwhile', async () => {
    const { b, p } = running(['a']);
    await b.clock.advance(100);
    p.driver('a').onClose = () => b.clock.sleep(300);
    const removed = p.supervisor.remove('a');
    await b.clock.advance(100);
    p.prepare('a', (driver) => {
      driver.onRun = counting(b, PERIOD_MS, 50);
    });
    p.supervisor.add(source('a'), CREATED_MS);
    await b.clock.advance(1_000);
    await removed;
    expect(b.stored('a').every(({ status }) => status === GOOD)).toBe(true);
  });
});

describe('a source that is taken away', () => {
  it('is let go and gone from the list, and may be taken away twice', async () => {
    const { b, p } = running(['a', 'b']);
    await b.clock.advance(100);
    await Promise.all([p.supervisor.remove('a'), p.supervisor.remove('a'), p.supervisor.remove('nobody')]);
    expect(p.supervisor.list().map(({ id }) => id)).toEqual(['b']);
    expect(p.driver('a').closes).toHaveLength(1);
    const held = b.stored('a').length;
    await b.clock.advance(1_000);
    expect(b.stored('a')).toHaveLength(held);
  });
});

describe('a source that may not reach its device', () => {
  it('is faulted, says egress_denied, and is tried again each half a minute', async () => {
    const { b, p } = running([]);
    p.prepare('a', (driver) => {
      driver.onConnect = () => Promise.reject(new GatewayError('egress_denied', 'evil.test:502 is not an address'));
    });
    p.supervisor.add(source('a', { managedBy: 'api' }), CREATED_MS);
    await b.clock.advance(29_999);
    expect(p.view('a')).toMatchObject({
      state: 'faulted',
      reason: 'egress_denied',
      lastError: 'evil.test:502 is not an address',
      errors: 1,
    });
    await b.clock.advance(1);
    expect(p.view('a').errors).toBe(2);
    await p.supervisor.stop();
  });
});

describe('a source that cannot be run as it was saved', () => {
  it('is shown as faulted with the reason, and is mended by a change', async () => {
    const { b, p } = running([]);
    p.supervisor.add(source('a', { fault: 'profile: there is no profile "jbd"' }), CREATED_MS);
    await b.clock.advance(0);
    expect(p.view('a')).toMatchObject({ state: 'faulted', reason: 'profile: there is no profile "jbd"' });
    expect(p.made).toEqual([]);
    await p.supervisor.change(source('a'));
    await b.clock.advance(0);
    expect(p.view('a').state).toBe('connected');
    await p.supervisor.stop();
  });
});

describe('a source that is switched off', () => {
  it('has no driver, and gets one when it is switched on', async () => {
    const b = bench();
    const p = plant(b);
    p.supervisor.add(source('a', { enabled: false }), CREATED_MS);
    await b.clock.advance(60_000);
    expect(p.made).toEqual([]);
    expect(p.view('a')).toMatchObject({ state: 'disabled', errors: 0 });
    await p.supervisor.change(source('a'));
    await b.clock.advance(0);
    expect(p.view('a').state).toBe('connected');
    await p.supervisor.change(source('a', { enabled: false }));
    await b.clock.advance(0);
    expect(p.view('a').state).toBe('disabled');
    expect(p.driver('a').closes).toHaveLength(1);
    await p.supervisor.stop();
  });
});

describe('ten sources that fail', () => {
  it('do not delay the one that works', async () => {
    const { b, p } = running(['good']);
    for (let index = 0; index < 10; index++) {
      const id = `bad-${index}`;
      p.prepare(id, (driver) => {
        driver.onConnect = index % 2 ? never : () => Promise.reject(new GatewayError('not_connected', 'no'));
      });
      p.supervisor.add(source(id), CREATED_MS);
    }
    await b.clock.advance(60_000);
    const times = b.stored('good').map(({ timeMs }) => timeMs - CREATED_MS);
    expect(times).toEqual(Array.from({ length: 601 }, (_, index) => index * PERIOD_MS));
  });
});

describe('the end', () => {
  it('stops all sources side by side, in the time that one may take', async () => {
    const { b, p } = running(['a', 'b']);
    for (const id of ['c', 'd']) {
      p.prepare(id, (driver) => {
        driver.onRun = never;
      });
      p.supervisor.add(source(id), CREATED_MS);
    }
    await b.clock.advance(100);
    let done = false;
    const stopping = p.supervisor.stop().then(() => {
      done = true;
    });
    await b.clock.advance(2_999);
    expect(done).toBe(false);
    expect([p.driver('a').closes.length, p.driver('b').closes.length]).toEqual([1, 1]);
    await b.clock.advance(1);
    await stopping;
  });

  it('stops sources that compute when all others have stopped', async () => {
    const { b, p } = running([]);
    const ends: string[] = [];
    for (const [id, type] of [
      ['calc', 'derived'],
      ['slow', 'modbus'],
    ] as const) {
      p.prepare(id, (driver) => {
        driver.onRun = async (_emit, signal) => {
          await untilAbort(signal);
          if (id === 'slow') await b.clock.sleep(1_000);
          ends.push(id);
        };
      });
      p.supervisor.add(source(id, { type }), CREATED_MS);
    }
    await b.clock.advance(100);
    const stopping = p.supervisor.stop();
    await b.clock.advance(999);
    expect(ends).toEqual([]);
    await b.clock.advance(1);
    await stopping;
    expect(ends).toEqual(['slow', 'calc']);
  });

  it('leaves nothing running, though a change was under way', async () => {
    const { b, p } = running(['a']);
    p.prepare('a', (driver) => {
      driver.onRun = counting(b, PERIOD_MS);
    });
    await b.clock.advance(100);
    const change = p.supervisor.change(source('a', { name: 'two' }));
    await p.supervisor.stop();
    await change;
    await p.supervisor.change(source('a', { name: 'three' }));
    const held = b.stored('a').length;
    await b.clock.advance(1_000);
    await turn();
    expect(b.stored('a')).toHaveLength(held);
    expect(p.made.every(({ driver }) => driver.closes.length >= driver.connects.length)).toBe(true);
  });
});

describe('a door without a driver', () => {
  it('books into the account of its source', async () => {
    const { b, p } = running([]);
    const door = p.supervisor.openDoor('api', 'default');
    const series = door.series({ asset: 'pump', tag: 'n' });
    if (series !== undefined) door.number(series, undefined, 1, GOOD);
    expect(b.stored('api')).toHaveLength(1);
    expect(p.supervisor.account('api', 'default').counts()).toMatchObject({ received: 1, committed: 1 });
    expect(p.supervisor.list()).toEqual([]);
  });
});
