/** A trial of a source: over the link that it has, or over one of its own that is let go, and never longer than ten seconds. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { BAD_OUT_OF_RANGE, GOOD } from '../../src/core/status.ts';
import type { Reading, TagRef } from '../../src/drivers/driver.ts';
import { testSource } from '../../src/ingest/source-test.ts';
import { bench } from './bench.ts';
import { CREATED_MS, type FakeDriver, never, plant, source } from './fake-driver.ts';

const TAGS = ['level', 'speed'].map((tag_name) => ({ tag_name, asset_id: 'pump', writable: false }));
const SPEC = source('plc', { tags: TAGS });

function reading({ assetId, tagName }: TagRef, value: number | null = 4): Reading {
  return { assetId, tagName, value, status: value === null ? BAD_OUT_OF_RANGE : GOOD, timeMs: CREATED_MS };
}

function trial(how: (driver: FakeDriver) => void) {
  const b = bench();
  const p = plant(b);
  p.prepare('plc', how);
  return { b, p, run: () => testSource(SPEC, { supervisor: p.supervisor, clock: b.clock }) };
}

describe('a source that is not connected', () => {
  it('is tried over a link of its own, which is let go', async () => {
    const { p, run } = trial((driver) => {
      driver.readNow = async (tags) => tags.map((tag) => reading(tag));
    });
    expect(await run()).toMatchObject({
      success: true,
      live: false,
      message: '2 of 2 tags read',
      checks: [
        { name: 'connect', ok: true },
        { name: 'read', ok: true },
      ],
      sample: { tagName: 'level', value: 4 },
    });
    expect(p.driver('plc').closes).toHaveLength(1);
    expect(p.supervisor.list()).toEqual([]);
  });

  it.each(['not_connected', 'egress_denied', 'authentication_failed'] as const)('says why it cannot be: %s', async (code) => {
    const { p, run } = trial((driver) => {
      driver.onConnect = () => Promise.reject(new GatewayError(code, 'not like this'));
    });
    expect(await run()).toMatchObject({ success: false, message: 'not like this', checks: [{ name: 'connect', ok: false }], sample: null });
    expect(p.driver('plc').closes).toHaveLength(1);
  });

  it('names the tags that have no value', async () => {
    const { run } = trial((driver) => {
      driver.readNow = async (tags) => tags.map((tag) => reading(tag, tag.tagName === 'speed' ? null : 4));
    });
    expect(await run()).toMatchObject({ success: false, message: 'no value for speed', sample: { tagName: 'level' } });
  });

  it('that sends by itself is only connected to', async () => {
    const { run } = trial(() => undefined);
    expect(await run()).toMatchObject({ success: true, checks: [{ name: 'connect', ok: true }], sample: null });
  });

  it.each([
    ['connect', (driver: FakeDriver) => void Object.assign(driver, { onConnect: never })],
    ['read', (driver: FakeDriver) => void Object.assign(driver, { readNow: never })],
    ['close', (driver: FakeDriver) => void Object.assign(driver, { onConnect: never, onClose: never })],
  ])('and hangs in %s is given up within ten seconds', async (_act, how) => {
    const { b, run } = trial(how);
    const result = run();
    let done = false;
    void result.then(() => {
      done = true;
    });
    await b.clock.advance(10_000);
    expect(done).toBe(true);
    expect(await result).toMatchObject({ success: false, sample: null });
  });
});

describe('what the peer says of itself', () => {
  const reads = (driver: FakeDriver) => {
    driver.readNow = async (tags) => tags.map((tag) => reading(tag));
  };

  it.each([true, false])('is in the result, over the link that there is: %s', async (live) => {
    const { b, p, run } = trial((driver) => {
      reads(driver);
      driver.identify = async () => ({ product: 'S7-1500', session_present: true });
    });
    if (live) p.supervisor.add(SPEC, CREATED_MS);
    await b.clock.advance(0);
    expect(await run()).toMatchObject({ success: true, live, server: { product: 'S7-1500', session_present: true } });
    await p.supervisor.stop();
  });

  it.each<[string, FakeDriver['identify']]>([
    ['fails', () => Promise.reject(new GatewayError('timeout', 'no answer'))],
    ['hangs', never],
  ])('is left out where asking for it %s, and the test is as good', async (_how, identify) => {
    const { b, run } = trial((driver) => {
      reads(driver);
      driver.identify = identify as NonNullable<typeof identify>;
    });
    const result = run();
    await b.clock.advance(1_000);
    expect(await result).toMatchObject({ success: true, latencyMs: 0, server: {} });
  });
});

describe('a source that is connected', () => {
  it('is read over the link that it has', async () => {
    const { b, p, run } = trial((driver) => {
      driver.readNow = async (tags) => tags.map((tag) => reading(tag));
    });
    p.supervisor.add(SPEC, CREATED_MS);
    await b.clock.advance(0);
    expect(await run()).toMatchObject({ success: true, live: true, sample: { value: 4 } });
    expect(p.made).toHaveLength(1);
    expect(p.driver('plc')).toMatchObject({ connects: [0], closes: [] });
    await p.supervisor.stop();
  });
});
