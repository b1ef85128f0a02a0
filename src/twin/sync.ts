/** Brings a twin in step with its machine: every bound tag is read at its device, past any polling, and told what has changed. */
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, GatewayError, isGatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { RecordStore } from '../store/records.ts';
import { requireLive } from './edit.ts';
import type { TwinKey } from './registry.ts';
import { type Binding, type LiveReading, type Twin, tagOf } from './twin.ts';

/** Within this a second sync that is not forced has nothing to do; a tag that speaks by itself has spoken lately enough. */
const FRESH_MS = 60_000;
/** What a commit may take on a slow card under load; one that hangs is found by the store itself. */
const COMMIT_MS = 5_000;

/** A tag at the source that has it. */
export interface DeviceTag {
  readonly sourceId: string;
  readonly assetId: string;
  readonly tagName: string;
}

/** Why a tag has no value of now. */
export interface DeviceFailure {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
}

export type DeviceAnswer = { readonly ok: true } | DeviceFailure;

/** The devices and what is known of them, as a sync needs them. */
export interface Devices {
  /** Those that a binding leads to; none for what only ever comes over REST. */
  tagsOf(tenant: string, binding: Binding): readonly DeviceTag[];
  /** Reads at the devices; an answer for each, in their order. The readings pass the door. Never rejects for a device. */
  read(tags: readonly DeviceTag[], signal: AbortSignal): Promise<readonly DeviceAnswer[]>;
  /** Resolves when all that passed the door is on disk and the twins show it. Rejects as the store does, or with the signal's reason. */
  committed(signal: AbortSignal): Promise<void>;
  reading(tenant: string, binding: Binding): LiveReading | undefined;
}

export interface SyncOptions {
  readonly force: boolean;
  readonly timeoutMs: number;
}

export interface SyncError {
  readonly part: 'sensor' | 'actuator';
  readonly id: string;
  readonly source: string;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface SyncChange {
  readonly before: Scalar | null;
  readonly after: Scalar | null;
}

export interface SyncResult {
  /** `failed`: no bound tag could be read; `timed_out`: none within the time. */
  readonly status: 'completed' | 'partial' | 'skipped' | 'failed' | 'timed_out';
  readonly timeMs: UnixMs;
  /** Read at a device: what speaks by itself and is in step is not among them. */
  readonly sensorsUpdated: number;
  readonly actuatorsUpdated: number;
  /** By id of the sensor or, where no sensor has it, of the actuator. */
  readonly changes: ReadonlyMap<string, SyncChange>;
  readonly errors: readonly SyncError[];
}

export interface TwinSyncOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly devices: Devices;
  readonly records: Pick<RecordStore, 'documents' | 'putDocuments' | 'removeDocument'>;
}

/** A sensor or an actuator with the tags behind it. */
interface Bound {
  readonly part: 'sensor' | 'actuator';
  readonly id: string;
  readonly binding: Binding;
  readonly tags: readonly DeviceTag[];
}

export class TwinSync {
  readonly #options: TwinSyncOptions;
  readonly #runs = new Map<string, Promise<SyncResult>>();
  /** When a sync of the twin was last completed. */
  readonly #lastMs = new Map<string, UnixMs>();

  constructor(options: TwinSyncOptions) {
    this.#options = options;
  }

  /** Takes up what the records remember. */
  async load(): Promise<void> {
    for (const { tenant, id, updatedMs } of await this.#options.records.documents('sync'))
      this.#lastMs.set(keyOf({ tenant, id }), updatedMs);
  }

  /** The twin is gone, and its time with it. */
  async forget({ tenant, id }: TwinKey): Promise<void> {
    if (!this.#lastMs.delete(keyOf({ tenant, id }))) return;
    try {
      await this.#options.records.removeDocument({ kind: 'sync', tenant, id });
    } catch (error) {
      this.#options.log.warn({ twin: id, reason: messageOf(error) }, 'the time of a synchronization could not be forgotten');
    }
  }

  /** When the twin was last synchronised as a whole; null before the first time. One of an earlier twin of the same id does not count. */
  lastMs(twin: Twin): UnixMs | null {
    const lastMs = this.#lastMs.get(keyOf(twin));
    return lastMs === undefined || lastMs < twin.createdMs ? null : lastMs;
  }

  /**
   * Reads every bound tag of the twin and resolves when the readings are on disk. A twin that is being synchronised is
   * not read twice: the caller gets the result of the run under way, or `timed_out` when its own time is over first.
   * Rejects `twin_archived`, and `store_failed`, `store_stalled`, `disk_full` or `stopped` when the readings cannot be kept.
   */
  async run(twin: Twin, { force, timeoutMs }: SyncOptions): Promise<SyncResult> {
    requireLive(twin);
    const { clock } = this.#options;
    const key = keyOf(twin);
    const lastMs = this.lastMs(twin);
    const ageMs = lastMs === null ? undefined : clock.now() - lastMs;
    const running = this.#runs.get(key);
    if (!running && !force && lastMs !== null && ageMs !== undefined && ageMs >= 0 && ageMs < FRESH_MS) return nothing('skipped', lastMs);
    const stop = new AbortController();
    const timer = new AbortController();
    const late = clock.sleep(timeoutMs, timer.signal).then(
      () => {
        stop.abort(new GatewayError('timeout', `the synchronization took longer than ${timeoutMs / 1_000} s`));
        return true;
      },
      () => false, // ended in time
    );
    const run = running ?? this.#begin(key, () => this.#synchronize(twin, stop.signal));
    try {
      // A run of our own ends by its signal and knows what it has; another's may go on longer than this caller waits.
      if (!running || !(await Promise.race([run.then(() => false), late]))) return await run;
      return nothing('timed_out', clock.now());
    } finally {
      timer.abort();
    }
  }

  #begin(key: string, act: () => Promise<SyncResult>): Promise<SyncResult> {
    const run = act().finally(() => this.#runs.delete(key));
    this.#runs.set(key, run);
    return run;
  }

  async #synchronize(twin: Twin, signal: AbortSignal): Promise<SyncResult> {
    const { clock, devices } = this.#options;
    const parts = this.#boundParts(twin);
    const before = new Map(parts.map((part) => [part, devices.reading(twin.tenant, part.binding)?.value ?? null]));
    const tags = distinct(parts.flatMap((part) => part.tags));
    const found = tags.size === 0 ? [] : await devices.read([...tags.values()], signal);
    const answers = new Map([...tags.keys()].map((key, index) => [key, found[index]]));
    const errors = parts.flatMap((part) => this.#errorsOf(twin.tenant, part, answers));
    const failed = new Set(errors.map(({ part, id, source }) => `${part}\0${id}\0${source}`));
    const inStep = parts.filter(({ part, id, tags: own }) => own.some(({ sourceId }) => !failed.has(`${part}\0${id}\0${sourceId}`)));
    if (parts.length > 0 && inStep.length === 0) {
      const status = errors.every(({ code }) => code === 'timeout') ? 'timed_out' : 'failed';
      return { ...nothing(status, clock.now()), errors };
    }
    if (tags.size > 0 && !(await this.#isCommitted())) return nothing('timed_out', clock.now());
    const timeMs = clock.now();
    if (errors.length === 0) await this.#remember(twin, timeMs);
    const read = parts.filter(({ tags: own }) => own.some((tag) => answers.get(tagKeyOf(tag))?.ok));
    return {
      status: errors.length === 0 ? 'completed' : 'partial',
      timeMs,
      sensorsUpdated: read.filter(({ part }) => part === 'sensor').length,
      actuatorsUpdated: read.filter(({ part }) => part === 'actuator').length,
      changes: this.#changes(twin, inStep, before),
      errors,
    };
  }

  /** False when the store takes too long. Beside the caller's time: one silent source must not cost the others what they have said. */
  async #isCommitted(): Promise<boolean> {
    const stop = new AbortController();
    const timer = new AbortController();
    this.#options.clock.sleep(COMMIT_MS, timer.signal).then(
      () => stop.abort(new GatewayError('timeout', 'the readings did not reach the disk in time')),
      () => undefined, // they did
    );
    try {
      await this.#options.devices.committed(stop.signal);
      return true;
    } catch (error) {
      if (!isGatewayError(error, 'timeout')) throw error;
      return false;
    } finally {
      timer.abort();
    }
  }

  #boundParts(twin: Twin): readonly Bound[] {
    const bound = (part: Bound['part'], id: string, binding: Binding): Bound[] => {
      const tags = this.#options.devices.tagsOf(twin.tenant, binding);
      return tags.length > 0 ? [{ part, id, binding, tags }] : [];
    };
    return [
      ...twin.sensors.flatMap(({ id, binding }) => bound('sensor', id, binding)),
      ...twin.actuators.flatMap((actuator) => bound('actuator', actuator.id, tagOf(twin, actuator))),
    ];
  }

  #errorsOf(tenant: string, { part, id, binding, tags }: Bound, answers: ReadonlyMap<string, DeviceAnswer | undefined>): SyncError[] {
    return tags.flatMap((tag) => {
      const answer = answers.get(tagKeyOf(tag));
      if (answer?.ok) return [];
      const { code = 'protocol', message = 'there was no answer' } = answer ?? {};
      if (code === 'not_supported' && this.#isInStep(tenant, { ...binding, source: tag.sourceId })) return [];
      return [{ part, id, source: tag.sourceId, code, message }];
    });
  }

  /** A device that speaks by itself cannot be asked; what it said within the last minute, over a link that stands, is the value of now. */
  #isInStep(tenant: string, binding: Binding): boolean {
    const reading = this.#options.devices.reading(tenant, binding);
    return reading !== undefined && reading.quality !== 'bad' && this.#options.clock.now() - reading.newestMs < FRESH_MS;
  }

  #changes(twin: Twin, inStep: readonly Bound[], before: ReadonlyMap<Bound, Scalar | null>): ReadonlyMap<string, SyncChange> {
    const changes = new Map<string, SyncChange>();
    for (const part of inStep) {
      const old = before.get(part) ?? null;
      const now = this.#options.devices.reading(twin.tenant, part.binding)?.value ?? null;
      if (!Object.is(old, now) && !changes.has(part.id)) changes.set(part.id, { before: old, after: now });
    }
    return changes;
  }

  /** The readings are on disk already; a time that cannot be saved is worth a line and no refusal. */
  async #remember({ tenant, id }: Twin, atMs: UnixMs): Promise<void> {
    this.#lastMs.set(keyOf({ tenant, id }), atMs);
    try {
      await this.#options.records.putDocuments([{ kind: 'sync', tenant, id, body: {}, atMs }]);
    } catch (error) {
      this.#options.log.warn({ twin: id, reason: messageOf(error) }, 'the time of a synchronization could not be saved');
    }
  }
}

function nothing(status: SyncResult['status'], timeMs: UnixMs): SyncResult {
  return { status, timeMs, sensorsUpdated: 0, actuatorsUpdated: 0, changes: new Map(), errors: [] };
}

/** A tag behind several sensors is read once. */
function distinct(tags: readonly DeviceTag[]): ReadonlyMap<string, DeviceTag> {
  return new Map(tags.map((tag) => [tagKeyOf(tag), tag]));
}

function tagKeyOf({ sourceId, assetId, tagName }: DeviceTag): string {
  return `${sourceId}\0${assetId}\0${tagName}`;
}

function keyOf({ tenant, id }: TwinKey): string {
  return `${tenant}\0${id}`;
}
