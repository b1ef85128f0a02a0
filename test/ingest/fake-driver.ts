/** A driver that does what the test says, and a supervisor over such drivers. */
import type { Emit } from '../../src/core/emit.ts';
import { type Log, type LogFields, silentLog } from '../../src/core/log.ts';
import { GOOD } from '../../src/core/status.ts';
import type { Scalar } from '../../src/core/tag.ts';
import { MAX_TIME_MS } from '../../src/core/time.ts';
import type { Driver, DriverContext, LinkReport, PeerFacts, Readback, Reading, TagRef } from '../../src/drivers/driver.ts';
import type { SourceSpec } from '../../src/ingest/source.ts';
import type { SourceView } from '../../src/ingest/source-state.ts';
import { Supervisor } from '../../src/ingest/supervisor.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import type { Bench } from './bench.ts';

/** Resolves on abort, as a good `run` does. */
export function untilAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Never settles, whatever the signal says. */
export function never(): Promise<never> {
  return new Promise(() => undefined);
}

export class FakeDriver implements Driver {
  /** Moments of the calls, on the monotonic clock. */
  readonly connects: number[] = [];
  readonly runs: number[] = [];
  readonly closes: number[] = [];
  onConnect: (signal: AbortSignal) => Promise<void> = async () => undefined;
  onRun: (emit: Emit, signal: AbortSignal) => Promise<void> = (_emit, signal) => untilAbort(signal);
  onClose: () => Promise<void> = async () => undefined;
  /** Set by tests: a driver that has neither can neither write nor read on demand. */
  write?: (tag: TagRef, value: Scalar, signal: AbortSignal) => Promise<Readback>;
  readNow?: (tags: readonly TagRef[], signal: AbortSignal) => Promise<readonly Reading[]>;
  identify?: (signal: AbortSignal) => Promise<PeerFacts>;
  retag?: NonNullable<Driver['retag']>;
  report: (link: LinkReport) => void = () => undefined;
  emit: Emit | undefined;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  connect(signal: AbortSignal): Promise<void> {
    this.connects.push(this.#nowMs());
    return this.onConnect(signal);
  }

  run(emit: Emit, signal: AbortSignal): Promise<void> {
    this.runs.push(this.#nowMs());
    this.emit = emit;
    return this.onRun(emit, signal);
  }

  close(): Promise<void> {
    this.closes.push(this.#nowMs());
    return this.onClose();
  }
}

/** Sends 1, 2, 3, … of tag `n` each `periodMs` until the signal aborts. */
export function counting(b: Bench, periodMs: number, from = 0): (emit: Emit, signal: AbortSignal) => Promise<void> {
  return async (emit, signal) => {
    const series = emit.series({ asset: 'pump', tag: 'n' });
    if (series === undefined) throw new Error('the door refused the tag');
    for (let value = from; !signal.aborted; value++) {
      emit.number(series, undefined, value, GOOD);
      await b.clock.sleep(periodMs, signal).catch(() => undefined);
    }
  };
}

export interface Plant {
  readonly supervisor: Supervisor;
  /** The newest driver of each source. */
  readonly drivers: Map<string, FakeDriver>;
  /** Every driver ever made, in order. */
  readonly made: { readonly source: string; readonly driver: FakeDriver }[];
  readonly lines: (readonly [string, LogFields, string])[];
  /** Prepares the driver that a source gets next. */
  prepare(source: string, how: (driver: FakeDriver) => void): void;
  /** Replaces the loading of the driver's code. */
  onLoad: (spec: SourceSpec) => Promise<void>;
  view(source: string): SourceView;
  driver(source: string): FakeDriver;
}

export function plant(b: Bench, random: () => number = () => 0.5): Plant {
  const prepared = new Map<string, (driver: FakeDriver) => void>();
  const lines: [string, LogFields, string][] = [];
  const logOf = (fields: LogFields): Log => ({
    ...silentLog,
    info: (more, message) => lines.push(['info', { ...fields, ...more }, message]),
    warn: (more, message) => lines.push(['warn', { ...fields, ...more }, message]),
    error: (more, message) => lines.push(['error', { ...fields, ...more }, message]),
    child: (more) => logOf({ ...fields, ...more }),
  });
  const made: Plant['made'] = [];
  const drivers = new Map<string, FakeDriver>();
  const createDriver = (source: string, context: DriverContext): Driver => {
    const driver = new FakeDriver(() => b.clock.monotonicMs());
    driver.report = (link) => context.report(link);
    prepared.get(source)?.(driver);
    drivers.set(source, driver);
    made.push({ source, driver });
    return driver;
  };
  const supervisor = new Supervisor({
    pipeline: b.pipeline,
    drivers: {
      endpoint: (spec) => {
        if (typeof spec.config === 'string') throw new Error(`no endpoint in ${spec.config}`);
        return `fake://${spec.id}`;
      },
      load: async (spec) => {
        await self.onLoad(spec);
        return { createDriver: ({ sourceId }, context) => createDriver(sourceId, context) };
      },
    },
    clock: b.clock,
    log: logOf({}),
    random,
    isTenant: (tenant) => tenant === 'default',
    latestMs: () => MAX_TIME_MS,
    stateDir: (type) => `/nowhere/${type}`,
  });
  const self: Plant = {
    supervisor,
    drivers,
    made,
    lines,
    prepare: (source, how) => prepared.set(source, how),
    onLoad: async () => undefined,
    view: (source) => {
      const view = supervisor.list().find(({ id }) => id === source);
      if (!view) throw new Error(`no source ${source}`);
      return view;
    },
    driver: (source) => {
      const driver = drivers.get(source);
      if (!driver) throw new Error(`no driver was made for ${source}`);
      return driver;
    },
  };
  return self;
}

export function source(id: string, more: Partial<SourceSpec> = {}): SourceSpec {
  return { id, tenant: 'default', name: id, type: 'modbus', enabled: true, managedBy: 'config', config: {}, tags: [], ...more };
}

export const CREATED_MS = MORNING_MS;
