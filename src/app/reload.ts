/** Takes a changed configuration while the daemon runs: source by source, so that what did not change is not touched. */
import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig } from '../config/loaded.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { UnixMs } from '../core/time.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { SourceRegistry } from '../ingest/source-registry.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import type { EgressPolicy } from '../system/egress.ts';
import type { LiveSettings } from './live-settings.ts';

/** What is read once, at the start: the key of the file and what it became. */
const AT_START: Readonly<Record<string, (config: LoadedConfig) => unknown>> = {
  data_dir: ({ dataDir }) => dataDir,
  'api.listen': ({ listen }) => listen,
  'api.tls': ({ tls }) => tls,
  'api.allow_plaintext': ({ allowPlaintext }) => allowPlaintext,
  'api.rate_limit': ({ rateLimit }) => rateLimit,
  'api.cors': ({ corsOrigins }) => corsOrigins,
  'store.retention': ({ retention }) => retention,
  'store.profile': ({ storeProfile }) => storeProfile,
  twin_types: ({ twinTypes }) => twinTypes,
  auto_twins: ({ autoTwins }) => autoTwins,
  twins: ({ twins }) => twins,
  alert_rules: ({ alertRules }) => alertRules,
  'notifications.channels': ({ channels }) => channels,
  'log.level': ({ logLevel }) => logLevel,
};

export interface ReloadParts {
  readonly supervisor: Pick<Supervisor, 'add' | 'change' | 'remove'>;
  readonly registry: Pick<SourceRegistry, 'get'>;
  readonly settings: LiveSettings;
  readonly egress: Pick<EgressPolicy, 'allow'>;
  /** When the box first met each of these sources. */
  readonly createdTimes: (sources: readonly SourceSpec[]) => Promise<ReadonlyMap<string, UnixMs>>;
  readonly log: Log;
}

export class Reload {
  readonly #parts: ReloadParts;
  readonly #started: LoadedConfig;
  #present: LoadedConfig;
  #last: Promise<void> = Promise.resolve();

  constructor(started: LoadedConfig, parts: ReloadParts) {
    this.#started = started;
    this.#present = started;
    this.#parts = parts;
  }

  /** One after the other. Rejects `config_invalid` and as the records do; then nothing has changed. */
  take(next: LoadedConfig): Promise<void> {
    const mine = this.#last.then(() => this.#take(next));
    this.#last = mine.catch(() => undefined); // the caller has the error
    return mine;
  }

  async #take(next: LoadedConfig): Promise<void> {
    const { supervisor, registry, settings, egress, createdTimes, log } = this.#parts;
    const taken = next.sources.find(({ id }) => registry.get(id));
    if (taken) throw new GatewayError('config_invalid', `the source id "${taken.id}" is that of a source made over the API`);
    const before = new Map(this.#present.sources.map((source) => [source.id, source]));
    const wanted = new Set(next.sources.map(({ id }) => id));
    const added = next.sources.filter(({ id }) => !before.has(id));
    const changed = next.sources.filter((source) => before.has(source.id) && !isDeepStrictEqual(before.get(source.id), source));
    const removed = [...before.keys()].filter((id) => !wanted.has(id));
    const created = await createdTimes(added);
    settings.take(next);
    egress.allow(next.egressAllow);
    this.#present = next;
    for (const source of added) supervisor.add(source, created.get(source.id) as UnixMs);
    await Promise.all([
      ...changed.map((source) => this.#act(source.id, () => supervisor.change(source))),
      ...removed.map((id) => this.#act(id, () => supervisor.remove(id))),
    ]);
    log.info({ added: idsOf(added), changed: idsOf(changed), removed }, 'the configuration was read again');
    const later = Object.keys(AT_START).filter((key) => !isDeepStrictEqual(AT_START[key]?.(this.#started), AT_START[key]?.(next)));
    if (later.length > 0) log.warn({ keys: later }, 'these keys of the configuration have changed and hold from the next start');
  }

  /** What goes wrong with one source must not keep the others from what they are to be. */
  async #act(source: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#parts.log.error({ source, reason: messageOf(error) }, 'a source could not be changed');
    }
  }
}

function idsOf(sources: readonly SourceSpec[]): readonly string[] {
  return sources.map(({ id }) => id);
}
