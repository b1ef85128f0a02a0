/** One source's life, on a clock that the test turns: connect, run, back off, again, and an end in bounded time. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { BAD_NO_COMMUNICATION, GOOD } from '../../src/core/status.ts';
import { turn } from '../support/manual-clock.ts';
import { bench, missingIn } from './bench.ts';
import { CREATED_MS, counting, type FakeDriver, never, type Plant, plant, source, untilAbort } from './fake-driver.ts';

const refuse =
  (code: 'not_connected' | 'authentication_failed' | 'config_invalid' = 'not_connected') =>
  async () => {
    throw new GatewayError(code, 'no');
  };

function start(how: (driver: FakeDriver) => void, random?: () => number) {
  const b = bench();
  const p = plant(b, random);
  p.prepare('plc', how);
  p.supervisor.add(source('plc'), CREATED_MS);
  return { b, p };
}

/** Half to one and a half of 0.5, 1, 2, 4, 5, 5 … s, no longer than 5 s; `draw` chooses between these evenly. */
const pauseMs = (index: number, draw: number) => {
  const stepMs = [500, 1_000, 2_000, 4_000][index] ?? 5_000;
  return stepMs / 2 + (Math.min(stepMs * 1.5, 5_000) - stepMs / 2) * draw;
};
const MIDDLE_PAUSES = [500, 1_000, 2_000, 3_500, 3_750, 3_750];

const pausesOf = (moments: readonly number[]) => moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0));

describe('a source whose device is not there', () => {
  it('is asked again after 0.5, 1, 2, 4 and then 5 s at most, for ever', async () => {
    const { b, p } = start((driver) => {
      driver.onConnect = refuse();
    });
    await b.clock.advance(600_000);
    const pauses = pausesOf(p.driver('plc').connects);
    expect(pauses.slice(0, 6)).toEqual(MIDDLE_PAUSES);
    expect(new Set(pauses.slice(5))).toEqual(new Set([3_750]));
    expect(p.view('plc')).toMatchObject({ state: 'back_off', reason: 'no', lastError: 'no', errors: p.driver('plc').connects.length });
    expect(p.driver('plc').closes).toEqual(p.driver('plc').connects);
    expect(p.made).toHaveLength(1);
  });

  it.each([0, 0.25, 0.999_999])('is asked with a jitter of half the delay, never later than 5 s (draw %d)', async (draw) => {
    const { b, p } = start(
      (driver) => {
        driver.onConnect = refuse();
      },
      () => draw,
    );
    await b.clock.advance(60_000);
    for (const [index, pause] of pausesOf(p.driver('plc').connects).slice(0, 7).entries())
      expect(pause).toBeCloseTo(pauseMs(index, draw), 3);
  });

  it.each([0, 0.5, 0.999_999])('is asked each 0.75 to 1.5 s while nobody listens there (draw %d)', async (draw) => {
    const { b, p } = start(
      (driver) => {
        driver.onConnect = async () => {
          const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
          throw new GatewayError('not_connected', 'no', { cause });
        };
      },
      () => draw,
    );
    await b.clock.advance(60_000);
    const longest = 1_500 * (1 - draw / 2);
    const pauses = pausesOf(p.driver('plc').connects);
    expect(pauses.length).toBeGreaterThan(60_000 / 1_500 - 3);
    for (const [index, pause] of pauses.entries()) expect(pause).toBeCloseTo(Math.min(longest, pauseMs(index, draw)), 3);
  });

  it('waits the usual time again when it is silent behind a refusal', async () => {
    let isSilent = false;
    const { b, p } = start((driver) => {
      driver.onConnect = async () => {
        const cause = isSilent ? undefined : Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
        throw new GatewayError('not_connected', 'no', { cause });
      };
    });
    await b.clock.advance(30_000);
    isSilent = true;
    await b.clock.advance(30_000);
    const pauses = pausesOf(p.driver('plc').connects);
    expect(pauses.slice(2, 10)).toEqual(Array(8).fill(1_125));
    expect(pauses.slice(-4)).toEqual([3_750, 3_750, 3_750, 3_750]);
  });

  it('is asked from 0.5 s on again once a link has held', async () => {
    const { b, p } = start((driver) => {
      driver.onConnect = refuse();
    });
    await b.clock.advance(20_000);
    const driver = p.driver('plc');
    driver.onConnect = async () => undefined;
    driver.onRun = async () => {
      await b.clock.sleep(11_000);
      driver.onConnect = refuse();
      throw new GatewayError('not_connected', 'gone');
    };
    await b.clock.advance(60_000);
    const runMs = driver.runs[0] ?? 0;
    const after = driver.connects.filter((moment) => moment > runMs).map((moment) => moment - runMs - 11_000);
    expect(after.slice(0, 3)).toEqual([500, 1_500, 3_500]);
  });

  it('is not asked faster because a link came and went at once', async () => {
    const { b, p } = start((driver) => {
      driver.onRun = refuse();
    });
    await b.clock.advance(60_000);
    expect(pausesOf(p.driver('plc').connects).slice(0, 6)).toEqual(MIDDLE_PAUSES);
  });

  it.each([12_000, 60_000])('is not taken for a link because a connect took %d ms to fail', async (connectMs) => {
    const { b, p } = start((driver) => {
      driver.onConnect = async (signal) => {
        await b.clock.sleep(connectMs, signal);
        throw new GatewayError('timeout', 'no answer');
      };
    });
    await b.clock.advance(400_000);
    const pauses = pausesOf(p.driver('plc').connects).map((pause) => pause - Math.min(connectMs, 30_000));
    expect(pauses.slice(0, 6)).toEqual(MIDDLE_PAUSES);
  });
});

describe('a source that is refused by name or wrongly configured', () => {
  it.each(['authentication_failed', 'config_invalid'] as const)('is asked each 30 s after %s', async (code) => {
    const { b, p } = start((driver) => {
      driver.onConnect = refuse(code);
    });
    await b.clock.advance(95_000);
    expect(p.driver('plc').connects).toEqual([0, 30_000, 60_000, 90_000]);
    expect(p.view('plc')).toMatchObject({ state: 'faulted', reason: 'no' });
  });

  it('waits as long when its code or its options do not even make a driver', async () => {
    const b = bench();
    const p = plant(b);
    let loads = 0;
    p.onLoad = async () => {
      loads++;
      throw new GatewayError('config_invalid', 'tag "a": address 0 does not exist');
    };
    p.supervisor.add(source('plc'), CREATED_MS);
    await b.clock.advance(60_500);
    expect(loads).toBe(3);
    expect(p.view('plc')).toMatchObject({ state: 'faulted', reason: 'tag "a": address 0 does not exist' });
  });
});

describe('a connect that hangs', () => {
  it('is ended after 30 s, told so by its signal, closed, and tried again', async () => {
    let reason: unknown;
    const { b, p } = start((driver) => {
      driver.onConnect = (signal) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
        });
        return never();
      };
    });
    await b.clock.advance(29_999);
    expect(p.view('plc')).toMatchObject({ state: 'connecting', errors: 0 });
    await b.clock.advance(501);
    expect(reason).toBeInstanceOf(GatewayError);
    expect(p.view('plc')).toMatchObject({ state: 'back_off', reason: 'no connection to fake://plc within 30 s' });
    expect(p.driver('plc').closes).toEqual([30_000]);
    expect(p.driver('plc').connects).toEqual([0, 30_500]);
  });
});

describe('a link that is lost', () => {
  const lostAfter = (b: ReturnType<typeof bench>, ms: number) => (driver: FakeDriver) => {
    driver.onRun = async (emit, signal) => {
      const stop = new AbortController();
      signal.addEventListener('abort', () => stop.abort(), { once: true });
      const sending = counting(b, 100)(emit, stop.signal);
      await b.clock.sleep(ms, signal);
      stop.abort();
      await sending;
      throw new GatewayError('not_connected', 'the cable is out');
    };
  };

  it('brings one bad sample a series, back-off, and a new link with a new door', async () => {
    const b = bench();
    const p = plant(b);
    p.prepare('plc', lostAfter(b, 950));
    p.supervisor.add(source('plc'), CREATED_MS);
    await b.clock.advance(960);
    expect(p.view('plc')).toMatchObject({ state: 'back_off', reason: 'the cable is out', errors: 1 });
    expect(b.stored().map(({ status }) => status)).toEqual([...Array.from({ length: 10 }, () => GOOD), BAD_NO_COMMUNICATION]);
    const first = p.driver('plc').emit;
    await b.clock.advance(500);
    expect(p.view('plc')).toMatchObject({ state: 'connected', reason: null, errors: 1, lastError: 'the cable is out' });
    expect(p.driver('plc').emit).not.toBe(first);
    expect(p.driver('plc').runs).toEqual([0, 1_450]);
  });

  it('does not give a second bad sample for each failed attempt after it', async () => {
    const b = bench();
    const p = plant(b);
    p.prepare('plc', (driver) => {
      lostAfter(b, 250)(driver);
      const run = driver.onRun;
      driver.onRun = (emit, signal) => {
        driver.onConnect = refuse();
        return run(emit, signal);
      };
    });
    p.supervisor.add(source('plc'), CREATED_MS);
    await b.clock.advance(60_000);
    expect(p.driver('plc').connects.length).toBeGreaterThan(10);
    expect(b.stored().filter(({ status }) => status === BAD_NO_COMMUNICATION)).toHaveLength(1);
  });

  it('counts what its old run still sends as dropped', async () => {
    const { b, p } = start((driver) => {
      driver.onRun = async (emit) => {
        const series = emit.series({ asset: 'pump', tag: 'n' });
        void b.clock.sleep(100).then(() => series !== undefined && emit.number(series, undefined, 1, GOOD));
        throw new GatewayError('not_connected', 'gone');
      };
    });
    await b.clock.advance(200);
    expect(p.view('plc').ledger).toMatchObject({ received: 1, dropped: { closed: 1 } });
  });

  it('is also a run that ends by itself', async () => {
    const { b, p } = start((driver) => {
      driver.onRun = async () => undefined;
    });
    await b.clock.advance(10);
    expect(p.view('plc')).toMatchObject({ state: 'back_off', reason: 'the driver ended by itself' });
  });
});

describe('a driver with a mistake in it', () => {
  it('does not end its source: what nobody foresaw is logged whole and tried again', async () => {
    const { b, p } = start((driver) => {
      driver.onRun = async () => {
        throw new TypeError('x is not a function');
      };
    });
    await b.clock.advance(1_600);
    expect(p.driver('plc').runs).toEqual([0, 500, 1_500]);
    const errors = p.lines.filter(([level]) => level === 'error');
    expect(errors).toHaveLength(3);
    expect(errors[0]?.[1]).toMatchObject({ source: 'plc', err: expect.any(TypeError) });
  });

  it('may throw in close, and its source goes on', async () => {
    const { b, p } = start((driver) => {
      driver.onConnect = refuse();
      driver.onClose = async () => {
        throw new Error('close of a closed socket');
      };
    });
    await b.clock.advance(1_600);
    expect(p.made.flatMap(({ driver }) => driver.connects)).toEqual([0, 500, 1_500]);
    expect(p.lines.some(([level, , message]) => level === 'warn' && message.includes('let its link go'))).toBe(true);
  });

  it('may hang in close, and its source goes on with a new one', async () => {
    const { b, p } = start((driver) => {
      driver.onConnect = refuse();
      driver.onClose = never;
    });
    await b.clock.advance(30_000);
    expect(p.made.length).toBeGreaterThan(1);
    expect(p.view('plc').errors).toBeGreaterThan(1);
  });

  it('may throw in connect and run before it gives a promise', async () => {
    const { b, p } = start((driver) => {
      driver.onConnect = () => {
        throw new GatewayError('protocol', 'at once');
      };
    });
    await b.clock.advance(600);
    expect(p.driver('plc').connects).toEqual([0, 500]);
    expect(b.clock.sleeping).toBe(1);
  });
});

describe('a report', () => {
  const running = () => start(() => undefined);

  it('of failing tags degrades the source, and of none makes it whole', async () => {
    const { b, p } = running();
    await b.clock.advance(0);
    expect(p.view('plc')).toMatchObject({ state: 'connected', reason: null });
    p.driver('plc').report({ tagsFailed: 2, reason: '2 of 9 tags fail' });
    expect(p.view('plc')).toMatchObject({ state: 'degraded', reason: '2 of 9 tags fail', errors: 0 });
    p.driver('plc').report({ tagsFailed: 0 });
    expect(p.view('plc')).toMatchObject({ state: 'connected', reason: null });
  });

  it('is not believed while there is no link', async () => {
    const { b, p } = start((driver) => {
      driver.onConnect = refuse();
    });
    await b.clock.advance(100);
    p.driver('plc').report({ tagsFailed: 0 });
    expect(p.view('plc')).toMatchObject({ state: 'back_off', reason: 'no' });
  });

  it('is forgotten with its link', async () => {
    const { b, p } = running();
    await b.clock.advance(0);
    const driver = p.driver('plc');
    driver.report({ tagsFailed: 1, reason: 'one fails' });
    expect(p.view('plc').state).toBe('degraded');
    await p.supervisor.change(source('plc', { config: { round: 1 } }));
    await b.clock.advance(0);
    expect(p.view('plc')).toMatchObject({ state: 'connected', reason: null });
    driver.report({ tagsFailed: 1, reason: 'one fails' });
    expect(p.view('plc')).toMatchObject({ state: 'connected', reason: null });
  });
});

describe('a stop', () => {
  const stopped = async (p: Plant, b: ReturnType<typeof bench>, withinMs: number) => {
    let done = false;
    const stopping = p.supervisor.stop().then(() => {
      done = true;
    });
    await b.clock.advance(withinMs);
    expect(done).toBe(true);
    await stopping;
  };

  it('is at once when the driver keeps its promises, in every state', async () => {
    for (const how of [
      () => undefined,
      (driver: FakeDriver) => {
        driver.onConnect = refuse();
      },
      (driver: FakeDriver) => {
        driver.onConnect = async (signal) => {
          await untilAbort(signal);
          throw signal.reason;
        };
      },
    ]) {
      const { b, p } = start(how);
      await b.clock.advance(100);
      const errors = p.view('plc').errors;
      await stopped(p, b, 0);
      expect(p.driver('plc').closes.length).toBe(p.driver('plc').connects.length);
      expect(p.view('plc').errors).toBe(errors);
      expect(b.clock.sleeping).toBe(0);
    }
  });

  it('gives no bad samples: the device did nothing wrong', async () => {
    const b = bench();
    const p = plant(b);
    p.prepare('plc', (driver) => {
      driver.onRun = counting(b, 100);
    });
    p.supervisor.add(source('plc'), CREATED_MS);
    await b.clock.advance(450);
    await stopped(p, b, 0);
    expect(b.stored().map(({ status }) => status)).toEqual([GOOD, GOOD, GOOD, GOOD, GOOD]);
    expect(missingIn(p.view('plc').ledger)).toBe(0);
  });

  it.each<[string, (driver: FakeDriver) => void]>([
    [
      'connect',
      (driver) => {
        driver.onConnect = never;
      },
    ],
    [
      'run',
      (driver) => {
        driver.onRun = never;
      },
    ],
    [
      'close',
      (driver) => {
        driver.onClose = never;
      },
    ],
  ])('is bounded when the driver hangs in %s, which is logged, and closes its door', async (_act, how) => {
    const { b, p } = start(how);
    await b.clock.advance(100);
    await stopped(p, b, 3_000);
    expect(p.lines.some(([level, , message]) => level === 'error' && message.includes('did not stop in time'))).toBe(true);
    const { emit } = p.driver('plc');
    const series = emit?.series({ asset: 'pump', tag: 'n' });
    if (emit && series !== undefined) {
      emit.number(series, undefined, 1, GOOD);
      expect(p.view('plc').ledger.dropped).toEqual({ closed: 1 });
    }
  });

  it('lets go of the link of a driver that hangs in run, so that another can have it', async () => {
    const { b, p } = start((driver) => {
      driver.onRun = never;
    });
    await b.clock.advance(100);
    await stopped(p, b, 3_000);
    expect(p.driver('plc').closes).toHaveLength(1);
  });

  it('while the code is being loaded never connects', async () => {
    const b = bench();
    const p = plant(b);
    p.onLoad = () => b.clock.sleep(2_000);
    p.prepare('plc', (driver) => {
      driver.onConnect = () => never();
    });
    p.supervisor.add(source('plc'), CREATED_MS);
    await b.clock.advance(500);
    let done = false;
    void p.supervisor.stop().then(() => {
      done = true;
    });
    await b.clock.advance(1_600);
    expect(done).toBe(true);
    expect(p.drivers.get('plc')?.connects ?? []).toEqual([]);
  });

  it('may be said twice', async () => {
    const { b, p } = start(() => undefined);
    await b.clock.advance(100);
    await Promise.all([p.supervisor.stop(), p.supervisor.stop()]);
    await p.supervisor.stop();
    await turn();
    expect(p.driver('plc').closes).toHaveLength(1);
  });
});

describe('a fault that repeats', () => {
  it('leaves one line a minute', async () => {
    const { b, p } = start((driver) => {
      driver.onConnect = refuse();
    });
    await b.clock.advance(180_000);
    const warned = p.lines.filter(([level]) => level === 'warn');
    expect(warned.length).toBeLessThanOrEqual(4);
    expect(warned.length).toBeGreaterThanOrEqual(3);
    expect(warned.at(-1)?.[1]).toMatchObject({ code: 'not_connected', source: 'plc', swallowed: expect.any(Number) });
  });
});
