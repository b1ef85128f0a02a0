/** Runs the sources, each for itself: adds, changes and removes one without touching the others. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Driver, DriverContext, DriverModule, DriverSpec, Egress, PeerFacts, RawSample, Reading, TagRef } from '../drivers/driver.ts';
import { type CommandFailure, failureOf, type WriteOutcome } from './commands.ts';
import { Door } from './door.ts';
import type { InputFeed } from './input-feed.ts';
import { Account } from './ledger.ts';
import type { Pipeline } from './pipeline.ts';
import type { SourceSpec } from './source.ts';
import { SourceRunner } from './source-runner.ts';
import type { SourceView } from './source-state.ts';
import { type LastWrite, WriteBook } from './write-book.ts';

/** What the supervisor needs of `drivers/registry.ts`; tests hand in small ones. */
export interface DriverCatalogue {
  endpoint(spec: SourceSpec): string;
  load(spec: SourceSpec): Promise<DriverModule<unknown, unknown>>;
}

export interface SupervisorOptions {
  readonly pipeline: Pipeline;
  readonly drivers: DriverCatalogue;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly isTenant: (tenant: string) => boolean;
  readonly latestMs: () => UnixMs;
  /** Lent to sources that compute. */
  readonly feed?: Pick<InputFeed, 'of'>;
  /** Where a driver type keeps its certificates. */
  readonly stateDir: (type: string) => string;
  /** Where sources that were made over the API may connect to; those of the file are the operator's word. */
  readonly egress?: Egress;
}

/** A tag of one of the sources. */
export interface SourceTagRef extends TagRef {
  readonly sourceId: string;
}

/** A reading may be a bad one; a failure is that of a whole source, which could not be asked. */
export type ReadOutcome = { readonly ok: true; readonly reading: Reading } | CommandFailure;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #runners = new Map<string, SourceRunner>();
  /** Accounts outlive the runs of a source: a change must not make readings vanish from the books. They go with the source. */
  readonly #accounts = new Map<string, Account>();
  readonly #writes = new Map<string, WriteBook>();
  /** One change at a time for each source. */
  readonly #changes = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  add(spec: SourceSpec, createdMs: UnixMs): void {
    this.#start(this.#runner(spec, createdMs));
  }

  /** Starts the source anew, unless only its name has changed, or its tags too and the driver takes them over the present link. */
  change(spec: SourceSpec): Promise<void> {
    return this.#serially(spec.id, async () => {
      const old = this.#runners.get(spec.id);
      if (old && isDeepStrictEqual({ ...old.spec, name: spec.name }, spec)) {
        old.rename(spec.name);
        return;
      }
      if (old && isDeepStrictEqual({ ...old.spec, name: spec.name, tags: spec.tags }, spec)) {
        if (spec.type === 'derived') this.#options.pipeline.drain(); // its tags have heard of what came before
        if (await old.retag(spec)) return;
      }
      const runner = this.#runner(spec, old?.view().createdMs ?? this.#options.clock.now());
      if (old) await this.#end(old);
      this.#start(runner);
    });
  }

  remove(id: string): Promise<void> {
    return this.#serially(id, async () => {
      const runner = this.#runners.get(id);
      this.#runners.delete(id);
      if (!runner) return;
      await this.#end(runner);
      if (this.#runners.has(id)) return;
      this.#writes.delete(id);
      this.#accounts.delete(accountKey(id, runner.spec.tenant));
    });
  }

  /**
   * Writes a value to a tag at its device; the twins hear of it by the reading that confirms, as of any other. Writes to
   * one tag follow each other. Resolves however it ends, within half a minute: `not_connected`, `overloaded`, `timeout`,
   * `cancelled` and the codes of `Driver.write`.
   */
  async write(sourceId: string, tag: TagRef, value: Scalar, signal: AbortSignal): Promise<WriteOutcome> {
    const runner = this.#runners.get(sourceId);
    if (!runner) return unknownSource(sourceId);
    return runner.write(tag, value, signal);
  }

  /** How the last write to a tag ended, since the daemon was started; undefined when there was none. */
  lastWrite(sourceId: string, tag: TagRef): LastWrite | undefined {
    return this.#writes.get(sourceId)?.last(tag);
  }

  /** Reads tags of any sources at their devices, the sources at once; an outcome for each, in their order. The readings pass the door. */
  async readNow(tags: readonly SourceTagRef[], signal: AbortSignal): Promise<readonly ReadOutcome[]> {
    const outcomes = new Map<SourceTagRef, ReadOutcome>();
    const readSource = async (sourceId: string): Promise<void> => {
      const own = tags.filter((tag) => tag.sourceId === sourceId);
      const found = await this.#readSource(sourceId, own, signal);
      for (const [index, tag] of own.entries()) outcomes.set(tag, found[index] ?? unknownSource(sourceId));
    };
    await Promise.all([...new Set(tags.map((tag) => tag.sourceId))].map(readSource));
    return tags.map((tag) => outcomes.get(tag) ?? unknownSource(tag.sourceId));
  }

  async #readSource(sourceId: string, tags: readonly TagRef[], signal: AbortSignal): Promise<readonly ReadOutcome[]> {
    const runner = this.#runners.get(sourceId);
    try {
      const readings = await runner?.readNow(tags, signal);
      return (readings ?? []).map((reading) => ({ ok: true, reading }));
    } catch (error) {
      const failure = failureOf(error);
      return tags.map(() => failure);
    }
  }

  /** The tags of an asset that the sources' configuration names. Those that a topic names are known by their readings alone. */
  tagsOf(tenant: string, assetId: string): readonly SourceTagRef[] {
    return [...this.#runners.values()].flatMap(({ spec }) =>
      spec.tenant !== tenant
        ? []
        : spec.tags.flatMap(({ tag_name: tagName, asset_id: asset = spec.id }) =>
            tagName !== undefined && asset === assetId ? [{ sourceId: spec.id, assetId, tagName }] : [],
          ),
    );
  }

  list(): readonly SourceView[] {
    return [...this.#runners.values()].map((runner) => runner.view());
  }

  view(id: string): SourceView | undefined {
    return this.#runners.get(id)?.view();
  }

  specs(): readonly SourceSpec[] {
    return [...this.#runners.values()].map(({ spec }) => spec);
  }

  /** As the source runs it at present. */
  specOf(id: string): SourceSpec | undefined {
    return this.#runners.get(id)?.spec;
  }

  /** What the source's device said last of the tag; undefined while there is no link, and for drivers that do not remember. */
  rawOf(sourceId: string, tag: TagRef): RawSample | undefined {
    return this.#runners.get(sourceId)?.raw(tag);
  }

  /** What the source's device says of itself over the present link. Rejects where there is none. */
  async identify(sourceId: string, signal: AbortSignal): Promise<PeerFacts> {
    return (await this.#runners.get(sourceId)?.identify(signal)) ?? {};
  }

  sourceIds(tenant: string): readonly string[] {
    return [...this.#runners.values()].flatMap(({ spec }) => (spec.tenant === tenant ? [spec.id] : []));
  }

  /** Stops every source, each in bounded time, for good: at once, but those that compute go when they have heard the others' last words. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const runners = [...this.#runners.values()];
    await Promise.all(runners.filter(({ spec }) => spec.type !== 'derived').map((runner) => runner.stop()));
    this.#options.pipeline.drain();
    await Promise.all(runners.filter(({ spec }) => spec.type === 'derived').map((runner) => runner.stop()));
  }

  /** A door without a driver, for readings that come over REST. */
  openDoor(source: string, tenant: string, yields = false): Door {
    const { pipeline, isTenant, latestMs } = this.#options;
    return new Door({ pipeline, account: this.account(source, tenant), source, tenant, isTenant, latestMs, yields });
  }

  /** The books of a source; those of REST are kept for each tenant apart. */
  account(source: string, tenant: string): Account {
    const key = accountKey(source, tenant);
    const known = this.#accounts.get(key) ?? new Account();
    this.#accounts.set(key, known);
    return known;
  }

  #start(runner: SourceRunner): void {
    if (this.#stopped) return;
    const { id, tenant, enabled } = runner.spec;
    this.#runners.set(id, runner);
    if (!enabled) this.openDoor(id, tenant).lost(); // it may have been switched off while the box was down
    runner.start();
  }

  /** While the box goes on: nobody vouches any more for what the source said, so its tags are as those of a lost link. */
  async #end(runner: SourceRunner): Promise<void> {
    await runner.stop();
    const { id, tenant, type } = runner.spec;
    const isTaken = (this.#runners.get(id) ?? runner) !== runner; // by one of the same id, whose readings these now are
    if (!this.#stopped && !isTaken) this.openDoor(id, tenant, type === 'derived').lost();
  }

  #runner(spec: SourceSpec, createdMs: UnixMs): SourceRunner {
    const { clock, random, drivers } = this.#options;
    const log = this.#options.log.child({ source: spec.id });
    return new SourceRunner({
      spec,
      endpoint: drivers.endpoint(spec),
      createdMs,
      account: this.account(spec.id, spec.tenant),
      writes: this.#bookOf(spec.id),
      clock,
      log,
      random,
      openDoor: () => this.openDoor(spec.id, spec.tenant, spec.type === 'derived'),
      createDriver: (present, report) => this.#createDriver(present, report),
    });
  }

  #lent(spec: SourceSpec): Pick<DriverContext, 'inputs'> {
    const { feed } = this.#options;
    return feed && spec.type === 'derived' ? { inputs: feed.of(spec.tenant, spec.id) } : {};
  }

  /** Of all its runs, as the accounts. */
  #bookOf(sourceId: string): WriteBook {
    const known = this.#writes.get(sourceId) ?? new WriteBook();
    this.#writes.set(sourceId, known);
    return known;
  }

  /** One beside that of the runner, for whoever wants to try the source. Rejects `config_invalid`. */
  createDriver(spec: SourceSpec): Promise<Driver> {
    return this.#createDriver(spec, () => undefined);
  }

  /** True where the source runs as the spec says and has a link. */
  isLive(spec: SourceSpec): boolean {
    const runner = this.#runners.get(spec.id);
    return runner?.isConnected === true && isDeepStrictEqual(runner.spec, spec);
  }

  async #createDriver(spec: SourceSpec, report: DriverContext['report']): Promise<Driver> {
    if (spec.fault !== undefined) throw new GatewayError('config_invalid', spec.fault);
    const { clock, egress, stateDir } = this.#options;
    const log = this.#options.log.child({ source: spec.id });
    const guard = spec.managedBy === 'api' && egress ? { egress } : {};
    const context: DriverContext = { log, clock, stateDir: stateDir(spec.type), ...guard, report, ...this.#lent(spec) };
    const module = await this.#options.drivers.load(spec);
    const driverSpec: DriverSpec<unknown, unknown> = { sourceId: spec.id, config: spec.config, tags: spec.tags };
    return module.createDriver(driverSpec, context);
  }

  async #serially(id: string, act: () => Promise<void>): Promise<void> {
    const before = this.#changes.get(id) ?? Promise.resolve();
    const mine = before.then(act);
    const settled = mine.catch(() => undefined);
    this.#changes.set(id, settled);
    await mine;
    if (this.#changes.get(id) === settled) this.#changes.delete(id);
  }
}

function accountKey(source: string, tenant: string): string {
  return `${source}\0${tenant}`;
}

function unknownSource(sourceId: string): CommandFailure {
  return { ok: false, code: 'unknown_tag', message: `there is no source "${sourceId}"` };
}
