/** A driver under test with what the house would lend it, and the hands to hold its commits. */
import { systemClock } from '../../../src/core/clock.ts';
import type { Emit } from '../../../src/core/emit.ts';
import { type Log, type LogFields, silentLog } from '../../../src/core/log.ts';
import type { Driver, LinkReport } from '../../../src/drivers/driver.ts';
import { createDriver } from '../../../src/drivers/mqtt/driver.ts';
import { configSchema, type MqttTag, tagSchema } from '../../../src/drivers/mqtt/options.ts';
import { type RecordingEmit, recordingEmit } from '../../support/recording-emit.ts';

export interface Harness {
  readonly driver: Driver;
  readonly recording: RecordingEmit;
  readonly reports: LinkReport[];
  readonly warnings: { fields: LogFields; message: string }[];
  /** False keeps `durable` waiting; true lets all that waits go. */
  setDurable(open: boolean): void;
  /** The next waiting `durable` rejects. */
  failDurable(error: Error): void;
  /** How many calls of `durable` there were. */
  commits(): number;
  /** True once the driver has waited for room. */
  held(): boolean;
  /** Connects and runs; `ended` settles as `run` does. */
  start(): Promise<{ readonly ended: Promise<void> }>;
  /** Aborts, waits for `run` and closes. */
  stop(): Promise<void>;
}

export function harness(config: Record<string, unknown>, tags: readonly Record<string, unknown>[]): Harness {
  const recording = recordingEmit();
  const reports: LinkReport[] = [];
  const warnings: { fields: LogFields; message: string }[] = [];
  const log: Log = { ...silentLog, warn: (fields, message) => warnings.push({ fields, message }) };
  const spec = { sourceId: 'ds-mqtt', config: configSchema.parse(config), tags: tags.map((tag): MqttTag => tagSchema.parse(tag)) };
  const driver = createDriver(spec, { log, clock: systemClock, stateDir: '/nowhere', report: (report) => reports.push(report) });
  const waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  let open = true;
  let commits = 0;
  let held = false;
  const emit: Emit = {
    ...recording.emit,
    room: (signal) => {
      held = true;
      return recording.emit.room(signal);
    },
    durable: (_sequence, signal) => {
      commits++;
      if (open) return Promise.resolve();
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    },
  };
  let stopping = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  return {
    driver,
    recording,
    reports,
    warnings,
    setDurable(value) {
      open = value;
      if (open) for (const { resolve } of waiting.splice(0)) resolve();
    },
    failDurable: (error) => waiting.shift()?.reject(error),
    commits: () => commits,
    held: () => held,
    async start() {
      stopping = new AbortController();
      await driver.connect(stopping.signal);
      ended = driver.run(emit, stopping.signal);
      ended.catch(() => undefined); // the test looks at it when it wants to
      return { ended };
    },
    async stop() {
      stopping.abort();
      await ended.catch(() => undefined);
      await driver.close();
    },
  };
}

/** Polls until the check holds; fails with its description after five seconds. */
export async function until(check: () => boolean, what: string): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 5_000;
  while (!check()) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`waited in vain for ${what}`);
    await systemClock.sleep(5);
  }
}
