/** Takes a changed configuration while the daemon runs: part by part and source by source, so that what did not change is not touched. */
import { isDeepStrictEqual } from 'node:util';
import type { Notifications } from '../alerts/notify/notifications.ts';
import type { RuleRegistry } from '../alerts/registry.ts';
import { type LoadedConfig, START_KEYS, type StartKey } from '../config/loaded.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { UnixMs } from '../core/time.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { SourceRegistry } from '../ingest/source-registry.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import type { TelemetryStore } from '../store/telemetry.ts';
import type { EgressPolicy } from '../system/egress.ts';
import type { DevicePolicy, FilePolicy } from '../system/file-policy.ts';
import type { TwinRegistry } from '../twin/registry.ts';
import { type ChangeNames, changesBetween, nameOf, namesOf } from './config-changes.ts';
import type { LiveSettings } from './live-settings.ts';

/** What is read once, at the start, as it became. */
const AT_START: Readonly<Record<StartKey, (config: LoadedConfig) => unknown>> = {
  data_dir: ({ dataDir }) => dataDir,
  'api.listen': ({ listen }) => listen,
  'api.tls': ({ tls }) => tls,
  'api.allow_plaintext': ({ allowPlaintext }) => allowPlaintext,
  'api.rate_limit': ({ rateLimit }) => rateLimit,
  'api.cors': ({ corsOrigins }) => corsOrigins,
  'store.profile': ({ storeProfile }) => storeProfile,
  auto_twins: ({ autoTwins }) => autoTwins,
};

export interface ReloadParts {
  readonly supervisor: Pick<Supervisor, 'add' | 'change' | 'remove'>;
  readonly registry: Pick<SourceRegistry, 'get'>;
  readonly settings: LiveSettings;
  readonly egress: Pick<EgressPolicy, 'allow'>;
  readonly files: Pick<FilePolicy, 'allow'>;
  readonly devices: Pick<DevicePolicy, 'allow'>;
  readonly twins: Pick<TwinRegistry, 'takeFile'>;
  readonly rules: Pick<RuleRegistry, 'takeFile'>;
  readonly notifications: Pick<Notifications, 'take'>;
  readonly store: Pick<TelemetryStore, 'setRetention'>;
  /** When the box first met each of these sources. */
  readonly createdTimes: (sources: readonly SourceSpec[]) => Promise<ReadonlyMap<string, UnixMs>>;
  readonly log: Log;
}

export class Reload {
  readonly #parts: ReloadParts;
  /** As this process started with them. */
  readonly #started: LoadedConfig;
  /** The keys that wait for the next start and have been named, with what they are to be. */
  readonly #named = new Map<StartKey, unknown>();
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
    const { registry, settings, egress, files, devices, createdTimes } = this.#parts;
    const taken = next.sources.find(({ id }) => registry.get(id));
    if (taken) throw new GatewayError('config_invalid', `the source id "${taken.id}" is that of a source made over the API`);
    const before = this.#present;
    const known = new Set(before.sources.map(({ id }) => id));
    const created = await createdTimes(next.sources.filter(({ id }) => !known.has(id)));
    settings.take(next);
    egress.allow(next.egressAllow);
    files.allow(next.filesAllow);
    devices.allow(next.serialAllow);
    this.#present = next;
    await this.#takeSources(before.sources, next.sources, created);
    this.#parts.log.info(changedNames(before, next), 'the configuration was read again');
    const { twins, rules, notifications, store } = this.#parts;
    notifications.take(next.channels);
    await this.#act('twins', () => twins.takeFile(next.twins));
    await this.#act('alert_rules', () => rules.takeFile(next.alertRules));
    if (!isDeepStrictEqual(before.retention, next.retention)) await this.#act('store.retention', () => store.setRetention(next.retention));
    this.#nameWaiting(next);
  }

  async #takeSources(before: readonly SourceSpec[], next: readonly SourceSpec[], created: ReadonlyMap<string, UnixMs>): Promise<void> {
    const { supervisor } = this.#parts;
    const { added, changed, removed } = changesBetween(before, next, ({ id }) => id);
    for (const source of added) supervisor.add(source, created.get(source.id) as UnixMs);
    await Promise.all([
      ...changed.map((source) => this.#act(source.id, () => supervisor.change(source))),
      ...removed.map(({ id }) => this.#act(id, () => supervisor.remove(id))),
    ]);
  }

  /** Each once, until it is changed again. */
  #nameWaiting(next: LoadedConfig): void {
    for (const key of START_KEYS) {
      const wanted = AT_START[key](next);
      const isNamed = this.#named.has(key) && isDeepStrictEqual(this.#named.get(key), wanted);
      if (isDeepStrictEqual(AT_START[key](this.#started), wanted)) this.#named.delete(key);
      else if (!isNamed) {
        this.#named.set(key, wanted);
        this.#parts.log.warn({ key }, `${next.places[key]} ${key} needs a restart`);
      }
    }
  }

  /** What goes wrong with one part must not keep the others from what they are to be; the next reload tries again. */
  async #act(part: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#parts.log.error({ part, reason: messageOf(error) }, 'a part of the configuration could not be taken');
    }
  }
}

/** What was added, changed and removed of each section that changed at all. */
function changedNames(before: LoadedConfig, next: LoadedConfig): Readonly<Record<string, ChangeNames>> {
  const named = <Part>(list: (config: LoadedConfig) => readonly Part[], keyOf: (part: Part) => string): ChangeNames =>
    namesOf(changesBetween(list(before), list(next), keyOf), keyOf);
  const sections = {
    sources: named(
      ({ sources }) => sources,
      ({ id }) => id,
    ),
    twins: named(({ twins }) => twins, nameOf),
    alert_rules: named(({ alertRules }) => alertRules, nameOf),
    channels: named(
      ({ channels }) => channels,
      ({ name, config: { tenant } }) => nameOf({ tenant, id: name }),
    ),
  };
  return Object.fromEntries(Object.entries(sections).filter(([, changes]) => Object.keys(changes).length > 0));
}
