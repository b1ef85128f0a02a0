/** One source's life: connect, run, back off, again; its state, its doors, its account. */
import { type Clock, endsWithin } from '../core/clock.ts';
import { type ErrorCode, GatewayError, isGatewayError, isRefused, messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import { retryDelaysMs } from '../core/retry.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Driver, DriverContext, Leave, LinkReport, PeerFacts, RawSample, Reading, TagRef } from '../drivers/driver.ts';
import { Commands, failureOf, type WriteOutcome } from './commands.ts';
import type { Door } from './door.ts';
import type { Account } from './ledger.ts';
import type { SourceSpec } from './source.ts';
import type { SourceState, SourceView } from './source-state.ts';
import type { WriteBook } from './write-book.ts';

/** A peer that is away is asked again within 5 s for ever; who it refuses by name or by a wrong option, each 30 s. */
const RETRY = { firstMs: 500, maxMs: 5_000, jitter: 0.5 } as const;
/** While nobody listens at the peer, which says so in one packet, its return is to be noticed: data again within 2 s. */
const REFUSED_MAX_MS = 1_500;
const RETRY_FAULTED_MS = 30_000;
/** What waiting does not mend. */
const FAULTS: readonly ErrorCode[] = ['authentication_failed', 'config_invalid', 'egress_denied'];
/** A link that held this long was a link: the next failure starts the back-off anew. */
const STEADY_MS = 10_000;
/** No driver may hang longer than this in connect, whatever its library does. */
const CONNECT_TIMEOUT_MS = 30_000;
/** Longer than the drivers' own bounds, so that only one that broke its promise is given up. */
const CLOSE_TIMEOUT_MS = 5_000;
/** Longer than a broker or a server may take to answer for new tags. */
const RETAG_TIMEOUT_MS = 12_000;
/** ¾ of the 5 s that a stop may take; the rest is for the store. */
const STOP_TIMEOUT_MS = 3_000;

export interface SourceRunnerOptions {
  readonly spec: SourceSpec;
  readonly endpoint: string;
  readonly createdMs: UnixMs;
  readonly account: Account;
  readonly writes: WriteBook;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly openDoor: () => Door;
  /** Loads the driver's code and makes one. */
  readonly createDriver: (spec: SourceSpec, report: DriverContext['report']) => Promise<Driver>;
}

export class SourceRunner {
  readonly #options: SourceRunnerOptions;
  readonly #abort = new AbortController();
  readonly #throttled: ThrottledLog;
  #spec: SourceSpec;
  #state: SourceState = 'connecting';
  #reason: string | null = null;
  #errors = 0;
  #lastError: string | null = null;
  #door: Door | undefined;
  #driver: Driver | undefined;
  /** While the driver runs. */
  #commands: Commands | undefined;
  /** Since when the present link holds; infinity while there is none. */
  #connectedMs = Number.POSITIVE_INFINITY;
  #done: Promise<void> = Promise.resolve();

  constructor(options: SourceRunnerOptions) {
    this.#options = options;
    this.#spec = options.spec;
    this.#throttled = new ThrottledLog(options.log, options.clock);
  }

  start(): void {
    if (!this.#options.spec.enabled) {
      this.#state = 'disabled';
      return;
    }
    this.#done = this.#loop(this.#abort.signal);
  }

  /** Ends the source and lets its link go, in bounded time; says false when the driver hung. */
  async stop(): Promise<boolean> {
    const { clock, log } = this.#options;
    const reason = new GatewayError('stopped', 'the source is stopped');
    this.#abort.abort(reason);
    this.#commands?.close(reason);
    const stopped = await endsWithin(clock, STOP_TIMEOUT_MS, this.#done);
    this.#door?.close();
    if (!stopped) {
      log.error({}, 'the driver did not stop in time');
      if (this.#driver) void this.#letGo(this.#driver);
    }
    return stopped;
  }

  /** Writes through the running driver. Resolves however it ends; what nobody foresaw is logged and counts as `protocol`. */
  async write(tag: TagRef, value: Scalar, signal: AbortSignal): Promise<WriteOutcome> {
    const { clock, log, writes } = this.#options;
    writes.begin();
    let outcome: WriteOutcome;
    try {
      this.#checkWritable(tag);
      outcome = await this.#running().write(tag, value, signal);
    } catch (error) {
      outcome = this.#failed(error);
    }
    writes.end(tag, { value, atMs: clock.now(), outcome });
    const fields = { asset: tag.assetId, tag: tag.tagName, value: typeof value === 'bigint' ? String(value) : value };
    if (outcome.ok) log.info(fields, 'written');
    else this.#throttled.warn(`write ${outcome.code}`, { ...fields, code: outcome.code }, `not written: ${outcome.message}`);
    return outcome;
  }

  /** A reading for each tag, in their order; they pass the door too. Rejects where the source as a whole cannot be read. */
  async readNow(tags: readonly TagRef[], signal: AbortSignal): Promise<readonly Reading[]> {
    return this.#running().readNow(tags, signal);
  }

  /** What the device said last of the tag over the present link. */
  raw(tag: TagRef): RawSample | undefined {
    return this.#commands && this.#driver?.raw?.(tag);
  }

  /** What its device says of itself. Rejects where the source has no link. */
  async identify(signal: AbortSignal): Promise<PeerFacts> {
    this.#running();
    return (await this.#driver?.identify?.(signal)) ?? {};
  }

  view(): SourceView {
    const spec = this.#spec;
    const { endpoint, createdMs, account, writes } = this.#options;
    return {
      id: spec.id,
      tenant: spec.tenant,
      name: spec.name,
      type: spec.type,
      endpoint,
      managedBy: spec.managedBy,
      state: this.#state,
      reason: this.#reason,
      tagCount: spec.tags.length,
      createdMs,
      ledger: account.counts(),
      writes: writes.counts(),
      errors: this.#errors,
      lastError: this.#lastError,
    };
  }

  get spec(): SourceSpec {
    return this.#spec;
  }

  get isConnected(): boolean {
    return this.#commands !== undefined && !this.#abort.signal.aborted;
  }

  /** The link stays. */
  rename(name: string): void {
    this.#spec = { ...this.#spec, name };
  }

  /**
   * Takes a change of tags (and name) over into the running driver, whose link stays. False where there is no link or
   * the driver cannot do it: then the source has to be started anew, whatever has been done by then.
   */
  async retag(spec: SourceSpec): Promise<boolean> {
    const commands = this.#commands;
    const driver = this.#driver;
    if (!commands || !driver?.retag || this.#abort.signal.aborted) return false;
    const door = this.#door;
    const given = new AbortController();
    const isStill = () => this.#commands === commands && !given.signal.aborted && !this.#abort.signal.aborted;
    const leave: Leave = (goesOn) => {
      if (isStill()) door?.lost(goesOn);
    };
    try {
      const inTime = await endsWithin(this.#options.clock, RETAG_TIMEOUT_MS, driver.retag(spec.tags, leave, given.signal));
      if (!inTime || !isStill()) return false;
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the tags could not be changed over the present link: the source is started anew');
      return false;
    } finally {
      given.abort();
    }
    this.#spec = spec;
    return true;
  }

  /** What the configuration says, whether the device is there or not; tags that a topic names are left to the driver. */
  #checkWritable({ assetId, tagName }: TagRef): void {
    const { id, tags } = this.#spec;
    const named = tags.find((tag) => tag.tag_name === tagName && (tag.asset_id ?? id) === assetId);
    if (named ? named.writable : tags.some((tag) => tag.writable)) return;
    throw new GatewayError('not_writable', `tag "${tagName}" of source "${id}" does not say writable: true`);
  }

  #running(): Commands {
    if (this.#commands && !this.#abort.signal.aborted) return this.#commands;
    const reason = this.#reason === null ? '' : `: ${this.#reason}`;
    throw new GatewayError('not_connected', `source "${this.#options.spec.id}" is not connected${reason}`);
  }

  #failed(error: unknown): WriteOutcome {
    try {
      return failureOf(error);
    } catch (unforeseen) {
      this.#options.log.error({ err: unforeseen }, 'a write failed in a way that nobody foresaw');
      return { ok: false, code: 'protocol', message: `the write failed: ${messageOf(unforeseen)}` };
    }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    let delays = retryDelaysMs({ ...RETRY, random });
    while (!signal.aborted) {
      const failure = await this.#attempt(signal);
      if (signal.aborted) return;
      if (clock.monotonicMs() - this.#connectedMs > STEADY_MS) delays = retryDelaysMs({ ...RETRY, random });
      const delayMs = this.#fail(failure) ? RETRY_FAULTED_MS : this.#pauseMs(failure, delays.next().value);
      try {
        await clock.sleep(delayMs, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /** Behind a refusal not the longest, and with a jitter of its own: a thousand boxes whose broker stopped must not knock in step. */
  #pauseMs(failure: unknown, delayMs: number): number {
    return isRefused(failure) ? Math.min(delayMs, REFUSED_MAX_MS * (1 - this.#options.random() / 2)) : delayMs;
  }

  /** One connect and run. Resolves with what ended it. */
  async #attempt(signal: AbortSignal): Promise<unknown> {
    const door = this.#options.openDoor();
    this.#door = door;
    this.#connectedMs = Number.POSITIVE_INFINITY;
    let failure: unknown = new GatewayError('not_connected', 'the driver ended by itself');
    try {
      this.#driver ??= await this.#options.createDriver(this.#spec, (link) => this.#onReport(link));
      signal.throwIfAborted();
      await this.#connect(this.#driver, signal);
      this.#connectedMs = this.#options.clock.monotonicMs();
      this.#setState('connected', null);
      this.#commands = new Commands({ sourceId: this.#options.spec.id, driver: this.#driver, clock: this.#options.clock });
      await this.#driver.run(door, signal);
    } catch (error) {
      failure = error;
    }
    this.#commands?.close(new GatewayError('not_connected', `the link was lost: ${messageOf(failure)}`));
    this.#commands = undefined;
    if (!signal.aborted) door.lost();
    door.close();
    if (this.#driver) await this.#letGo(this.#driver);
    return failure;
  }

  async #connect(driver: Driver, signal: AbortSignal): Promise<void> {
    const { clock, endpoint } = this.#options;
    const attempt = new AbortController();
    const onAbort = () => attempt.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (await endsWithin(clock, CONNECT_TIMEOUT_MS, driver.connect(attempt.signal))) return;
      const error = new GatewayError('timeout', `no connection to ${endpoint} within ${CONNECT_TIMEOUT_MS / 1000} s`);
      attempt.abort(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Never rejects. A driver that cannot even let go is given up for a new one. */
  async #letGo(driver: Driver): Promise<void> {
    try {
      if (await endsWithin(this.#options.clock, CLOSE_TIMEOUT_MS, driver.close())) return;
      this.#throttled.warn('close', {}, 'the driver did not let its link go in time');
    } catch (error) {
      this.#throttled.warn('close', { err: error }, 'the driver failed to let its link go');
    }
    this.#driver = undefined;
  }

  /** Books a failure; true when waiting longer is in place. */
  #fail(failure: unknown): boolean {
    const { log } = this.#options;
    const message = messageOf(failure);
    const faulted = isGatewayError(failure) && FAULTS.includes(failure.code);
    this.#errors++;
    this.#lastError = message;
    this.#setState(faulted ? 'faulted' : 'back_off', isGatewayError(failure, 'egress_denied') ? failure.code : message);
    if (isGatewayError(failure))
      this.#throttled.warn(`${failure.code} ${message}`, { code: failure.code, source_name: this.#spec.name }, message);
    else log.error({ err: failure }, 'the driver failed in a way that nobody foresaw');
    return faulted;
  }

  #onReport(link: LinkReport): void {
    if (this.#state !== 'connected' && this.#state !== 'degraded') return;
    this.#setState(link.tagsFailed > 0 ? 'degraded' : 'connected', link.reason ?? null);
  }

  #setState(state: SourceState, reason: string | null): void {
    if (state !== this.#state) this.#options.log.info({ state, reason }, 'source state');
    this.#state = state;
    this.#reason = reason;
  }
}
