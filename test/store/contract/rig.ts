/** A store in a folder of its own for each test, and what all parts of the contract share. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import type { Engine } from '../../../src/store/engine.ts';
import type { Columns, RawQuery, RecoveryReport, TimeRange } from '../../../src/store/telemetry.ts';
import { Feed, type FeedOptions } from './feed.ts';

/** So long after its start an engine may leave everything as it is. */
const REST_MS = 3_600_000;

/** Makes an engine that keeps everything in `dir`. Called again for the same folder after a close. */
export type MakeEngine = (dir: string, clock: Clock) => Engine;

export interface Opened {
  readonly engine: Engine;
  readonly report: RecoveryReport;
  readonly feed: Feed;
}

export interface Rig {
  /** Turns the hands of the engine's clock; undefined is the real time. */
  setNow(nowMs: number | undefined): void;
  /** Opens it an hour ago. */
  open(options?: FeedOptions): Promise<Opened>;
  /** Closes what is open and opens the same folder again. */
  reopen(): Promise<Opened>;
}

export function useRig(makeEngine: MakeEngine): Rig {
  let dir = '';
  let engine: Engine | undefined;
  let fixedMs: number | undefined;
  let laterMs = 0;
  const clock: Clock = {
    ...systemClock,
    now: () => (fixedMs ?? systemClock.now()) as UnixMs,
    monotonicMs: () => systemClock.monotonicMs() + laterMs,
  };
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'store-'));
    fixedMs = undefined;
  });
  afterEach(async () => {
    await engine?.close();
    rmSync(dir, { recursive: true });
  });
  const open = async (options?: FeedOptions): Promise<Opened> => {
    await engine?.close();
    engine = makeEngine(dir, clock);
    const report = await engine.open();
    laterMs += REST_MS;
    return { engine, report, feed: new Feed(engine, report, options) };
  };
  return {
    setNow: (nowMs) => {
      fixedMs = nowMs;
    },
    open,
    reopen: () => open(),
  };
}

export const ALWAYS = range(-8e14, 8e14);

export function range(from: number, to: number): TimeRange {
  return { from: from as UnixMs, to: to as UnixMs };
}

/** All rows of a query, page by page of `limit`, with the number of pages. */
export async function walk(
  engine: Engine,
  query: Omit<RawQuery, 'cursor'>,
): Promise<{ readonly pages: readonly Columns[]; readonly cursors: readonly string[] }> {
  const pages: Columns[] = [];
  const cursors: string[] = [];
  let cursor: string | undefined;
  for (;;) {
    const { columns, next } = await engine.raw(cursor === undefined ? query : { ...query, cursor });
    pages.push(columns);
    if (next === null) return { pages, cursors };
    if (columns.rows !== query.limit) throw new Error(`a page that is not the last has ${columns.rows} of ${query.limit} rows`);
    cursors.push(next);
    cursor = next;
  }
}

export function everySeries(feed: Feed): SeriesId[] {
  return [...feed.defs.keys()];
}
