/** The contract of every driver: connect, run, optionally read, write and browse, close. No loop of its own: the supervisor owns reconnecting. */
import type { Clock } from '../core/clock.ts';
import type { Emit } from '../core/emit.ts';
import type { Log } from '../core/log.ts';
import type { StatusCode } from '../core/status.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';

/**
 * Lifecycle: `connect` → `run` → `close`, and again from the start after a failure, on the same object.
 * Errors are GatewayErrors: `not_connected`, `timeout`, `protocol` bring the usual back-off;
 * `authentication_failed` and `config_invalid` the long one.
 */
export interface Driver {
  /** Establishes the link. Rejects when it can't; then `close` is called before the next try. */
  connect(signal: AbortSignal): Promise<void>;
  /** Emits readings until the signal aborts (resolves) or the link is lost (rejects `not_connected`, `timeout` or `protocol`). */
  run(emit: Emit, signal: AbortSignal): Promise<void>;
  /** Reads the tags with these names at the device now, past any cache. One bad tag gives a bad reading, not a rejection. */
  readNow?(tagNames: readonly string[], signal: AbortSignal): Promise<readonly Reading[]>;
  /** Lets the link go. Safe after a failed connect, twice, and while `run` ends. Never rejects. */
  close(): Promise<void>;
}

/** One value read on demand. `value` null means the status says why there is none. */
export interface Reading {
  readonly tagName: string;
  readonly assetId: string;
  readonly value: Scalar | null;
  readonly status: StatusCode;
  readonly timeMs: UnixMs | undefined;
}

/** What a driver is made from: options that its own schema has validated. */
export interface DriverSpec<Config, Tag> {
  readonly sourceId: string;
  readonly config: Config;
  readonly tags: readonly Tag[];
}

/** What the house lends to a driver. */
export interface DriverContext {
  readonly log: Log;
  readonly clock: Clock;
  /** A folder for what the driver must keep across restarts (certificates); shared by all sources of its type, made on first use. */
  readonly stateDir: string;
  /** Says how the link fares while `run` goes on; the supervisor shows it. */
  report(link: LinkReport): void;
}

/** `degraded` when some tags fail while the link is up. */
export interface LinkReport {
  readonly tagsFailed: number;
  /** One sentence for the person who looks at the source; absent when all is well. */
  readonly reason?: string;
}

/** What each driver's `driver.ts` exports, loaded lazily through `registry.ts`. */
export interface DriverModule<Config, Tag> {
  createDriver(spec: DriverSpec<Config, Tag>, context: DriverContext): Driver;
}
