/** The contract of every driver: connect, run, optionally read and write, close. No loop of its own: the supervisor owns reconnecting. */
import type { Clock } from '../core/clock.ts';
import type { Derivation } from '../core/derivation.ts';
import type { Emit } from '../core/emit.ts';
import type { Log } from '../core/log.ts';
import type { StatusCode } from '../core/status.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Words } from './schema.ts';

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
  /**
   * Goes on with these tags in place of the present ones, with the same options and over the same link. Tags that are as
   * they were lose no reading. `leave` is called once, in the instant of the change: it is told whose readings go on; the
   * others are as those of a lost link. Called only while `run` goes on, never twice at once. A driver without it, and one
   * that rejects, whatever it has done by then, is closed and started anew.
   */
  retag?(tags: readonly unknown[], leave: Leave, signal: AbortSignal): Promise<void>;
  /**
   * Reads these tags at the device now, past any cache: a reading for each, in their order. A bad tag and an unknown one
   * give a bad reading, not a rejection. While `run` goes on, the readings pass its `emit` too.
   */
  readNow?(tags: readonly TagRef[], signal: AbortSignal): Promise<readonly Reading[]>;
  /**
   * Writes one value to a tag, once: it is never sent a second time. Resolves with what the device then shows, which has
   * passed the `emit` of `run` as any reading does. Called only while `run` goes on, and never twice at once for one tag.
   *
   * `value` is scaled, as readings are. Rejects, with nothing sent, `unknown_tag`, `not_writable` or `invalid_value`;
   * `write_refused`, `not_writable` or `not_supported` when the device says so; `write_not_confirmed` when it took the
   * write and can't be asked for the value. After `timeout`, `not_connected`, `protocol` and an abort it is not known
   * whether the device has carried it out.
   */
  write?(tag: TagRef, value: Scalar, signal: AbortSignal): Promise<Readback>;
  /** What the device said last of the tag in this run, from memory: it asks nobody and never throws. Undefined before the first word. */
  raw?(tag: TagRef): RawSample | undefined;
  /**
   * What the peer says of itself and of the link, by names of the API; only what it says, and asked so that a
   * running link loses no readings. Called while there is a link. Rejects as `readNow`.
   */
  identify?(signal: AbortSignal): Promise<PeerFacts>;
  /** Lets the link go. Safe after a failed connect, twice, and while `run` ends. Never rejects. */
  close(): Promise<void>;
}

/** Says, in the instant of a change, of which tags the readings go on. */
export type Leave = (goesOn: (tag: TagRef) => boolean) => void;

export type PeerFacts = Readonly<Record<string, string | boolean>>;

/** A tag of a source: one name may stand under several assets. */
export interface TagRef {
  /** The source's own id for a tag that names no asset. */
  readonly assetId: string;
  readonly tagName: string;
}

/** A tag's key in a Map. */
export function tagKey({ assetId, tagName }: TagRef): string {
  return `${assetId}\0${tagName}`;
}

/** What a device showed after a write. */
export interface Readback {
  readonly reading: Reading;
  /** False when the device has taken the write and yet shows another value. */
  readonly confirmed: boolean;
}

/** One value read on demand. `value` null means the status says why there is none. */
export interface Reading extends TagRef {
  readonly value: Scalar | null;
  readonly status: StatusCode;
  readonly timeMs: UnixMs | undefined;
}

/** What a device said of a tag before anything was made of it, as far as that can be remembered for nothing. */
export interface RawSample {
  /** In the protocol's own words: registers, the parts of a DataValue, a piece of a payload. */
  readonly words: Words;
  /** When we read it, by the box's clock; null where the device speaks by itself. */
  readonly readMs: UnixMs | null;
  /** The device's own time, and its server's; null where they give none. */
  readonly sourceMs: UnixMs | null;
  readonly serverMs: UnixMs | null;
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
  /** Set for a source that may not reach every address: each connection asks it first. */
  readonly egress?: Egress;
  /** Says how the link fares while `run` goes on; the supervisor shows it. */
  report(link: LinkReport): void;
  /** The readings of all sources of the tenant; lent where tags are computed. */
  readonly inputs?: InputFeed;
}

/** Other sources' readings, for tags that are computed from them. */
export interface InputFeed {
  /**
   * Tells the listener the newest reading of each input, and from then on each newer one; late and backfilled ones are not told. The
   * result ends it. Throws `config_invalid` where a tag would be computed from itself or has another owner, naming the circle or the owner.
   */
  follow(outputs: readonly Omit<Derivation, 'tenant' | 'source'>[], listener: InputListener): () => void;
  /** Tells the listener the newest reading of each input, once, whoever else computes the outputs. */
  present(outputs: readonly Omit<Derivation, 'tenant' | 'source'>[], listener: Pick<InputListener, 'hear'>): void;
}

/** Never throws. */
export interface InputListener {
  /** `place`: which input of which output. `value` null: none, the status says why. 64-bit integers come as numbers. */
  hear(
    place: { readonly output: number; readonly input: number },
    timeMs: UnixMs,
    value: number | boolean | string | null,
    status: StatusCode,
  ): void;
  /** All that has come by now has been told. */
  settled(): void;
}

/** Guards the connections of a source that was made over the API. */
export interface Egress {
  /**
   * The one IP address to connect to in place of the host, which must not be resolved again. Rejects `egress_denied`,
   * and `not_connected` when the host is not known.
   */
  address(host: string, port: number, signal: AbortSignal): Promise<string>;
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
