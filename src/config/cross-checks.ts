/** What no single key can tell: duplicates, and names that must exist elsewhere in the file. */
import { API_SOURCE, DEFAULT_TENANT } from '../core/tag.ts';
import { TWIN_TYPES } from '../core/twin-type.ts';
import { DRIVERS } from '../drivers/registry.ts';
import { optionFaults } from '../drivers/source-options.ts';
import { derivedFaults, namedSources } from './derived-checks.ts';
import type { Fault, Path } from './fault.ts';
import type { AlertRuleDocument, ConfigDocument, TwinDocument } from './schema.ts';
import { deriveRuleId, sourceIdOf } from './source-id.ts';
import { suggest } from './suggest.ts';
import type { YamlFile } from './yaml-file.ts';

/** The rule's own id, or the one made from its name. */
export function ruleIdOf(rule: AlertRuleDocument): string {
  return rule.id ?? deriveRuleId(rule.tenant, rule.name);
}

/** All faults that lie between the keys of a file whose every key is right by itself. */
export function crossFaults(config: ConfigDocument, yaml: YamlFile): readonly Fault[] {
  const checks = new CrossChecks(config, yaml);
  checks.tenants();
  checks.tokens();
  checks.sources();
  checks.lines();
  checks.channels();
  checks.derived();
  for (const [index, twin] of config.twins.entries()) checks.twin(twin, ['twins', index]);
  for (const [index, rule] of config.alert_rules.entries()) checks.alertRule(rule, ['alert_rules', index]);
  return checks.faults;
}

class CrossChecks {
  readonly faults: Fault[] = [];
  readonly #config: ConfigDocument;
  readonly #yaml: YamlFile;
  readonly #tenants: ReadonlySet<string>;
  readonly #twinTypes: readonly string[];
  /** Source id → tenant. */
  readonly #sources: ReadonlyMap<string, string>;
  /** What must be unique → where it stood first. */
  readonly #seen = new Map<string, Path>();

  constructor(config: ConfigDocument, yaml: YamlFile) {
    this.#config = config;
    this.#yaml = yaml;
    this.#tenants = new Set([DEFAULT_TENANT, ...config.tenants.map((tenant) => tenant.id)]);
    this.#twinTypes = [...TWIN_TYPES, ...config.twin_types];
    this.#sources = new Map(config.sources.map((source) => [sourceIdOf(source), source.tenant]));
  }

  tenants(): void {
    for (const [index, { id }] of this.#config.tenants.entries()) this.#unique('tenant id', [id], ['tenants', index, 'id']);
  }

  tokens(): void {
    for (const [index, token] of this.#config.api.tokens.entries()) {
      const path = ['api', 'tokens', index];
      this.#tenantExists(token.tenant, path);
      this.#unique('token name', [token.name], [...path, 'name']);
      this.#unique('token hash', [token.sha256], [...path, 'sha256']);
    }
  }

  channels(): void {
    for (const [name, { tenant }] of Object.entries(this.#config.notifications.channels))
      this.#tenantExists(tenant, ['notifications', 'channels', name]);
  }

  sources(): void {
    for (const [index, source] of this.#config.sources.entries()) {
      const path = ['sources', index];
      this.#tenantExists(source.tenant, path);
      const nameIsUnique = this.#unique('source name', [source.name, source.tenant], [...path, 'name']);
      if (source.id !== undefined) this.#unique('source id', [source.id], [...path, 'id']);
      else if (nameIsUnique) this.#unique('source id', [sourceIdOf(source)], [...path, 'name']);
      if (source.id === API_SOURCE)
        this.#fault([...path, 'id'], `"${API_SOURCE}" is the id of readings that enter over REST; choose another`);
      for (const fault of optionFaults(source.type, source, sourceIdOf(source))) {
        const first = fault.first && ` (first in line ${this.#yaml.valueAt([...path, ...fault.first]).line})`;
        this.#fault([...path, ...fault.path], `${fault.message}${first ?? ''}`);
      }
    }
  }

  /** A serial line has the same settings for all who are on it. */
  lines(): void {
    const first = new Map<string, { readonly settings: string; readonly path: Path }>();
    for (const [index, { type, config }] of this.#config.sources.entries()) {
      for (const { key, file, settings } of DRIVERS[type].devices?.(config) ?? []) {
        const path = ['sources', index, 'config', ...key.split('.')];
        const known = first.get(file);
        if (!known) first.set(file, { settings, path });
        else if (known.settings !== settings)
          this.#fault(path, `${file} has ${settings} here, but ${known.settings} in line ${this.#yaml.valueAt(known.path).line}`);
      }
    }
  }

  derived(): void {
    for (const { path, message } of derivedFaults(this.#config)) this.#fault(path, message);
    for (const { id, tenant, path } of namedSources(this.#config)) this.#sourceExists(id, tenant, path);
  }

  twin(twin: TwinDocument, path: Path): void {
    this.#tenantExists(twin.tenant, path);
    this.#unique('twin id', [twin.id, twin.tenant], [...path, 'id']);
    if (!this.#twinTypes.includes(twin.type)) {
      const meant = suggest(twin.type, this.#twinTypes);
      const hint = meant ? `did you mean "${meant}"?` : `known are ${this.#twinTypes.join(', ')}; more go into twin_types`;
      this.#fault([...path, 'type'], `unknown twin type "${twin.type}"; ${hint}`);
    }
    for (const list of ['sensors', 'actuators'] as const) {
      for (const [index, part] of twin[list].entries()) {
        const at = [...path, list, index];
        this.#unique(`${list.slice(0, -1)} id of one twin`, [part.id, ...path.map(String)], [...at, 'id']);
        const source = part.binding?.data_source_id;
        if (source !== undefined) this.#sourceExists(source, twin.tenant, [...at, 'binding', 'data_source_id']);
      }
    }
  }

  alertRule(rule: AlertRuleDocument, path: Path): void {
    this.#tenantExists(rule.tenant, path);
    const nameIsUnique = this.#unique('alert rule name', [rule.name, rule.tenant], [...path, 'name']);
    if (rule.id !== undefined || nameIsUnique) {
      this.#unique('alert rule id', [ruleIdOf(rule), rule.tenant], [...path, rule.id === undefined ? 'name' : 'id']);
    }
    if (rule.data_source_id != null) this.#sourceExists(rule.data_source_id, rule.tenant, [...path, 'data_source_id']);
  }

  #tenantExists(tenant: string, path: Path): void {
    if (this.#tenants.has(tenant)) return;
    const meant = suggest(tenant, [...this.#tenants]);
    this.#fault([...path, 'tenant'], `unknown tenant "${tenant}"; ${meant ? `did you mean "${meant}"?` : 'list it in tenants'}`);
  }

  #sourceExists(source: string, tenant: string, path: Path): void {
    if (source === API_SOURCE || this.#sources.get(source) === tenant) return;
    const own = [...this.#sources].filter(([, owner]) => owner === tenant).map(([id]) => id);
    const meant = suggest(source, own);
    const reason = this.#sources.has(source)
      ? `the source "${source}" belongs to another tenant`
      : `there is no source with the id "${source}"`;
    this.#fault(path, meant && meant !== source ? `${reason}; did you mean "${meant}"?` : reason);
  }

  /** `parts` together must be unique among all of `kind`; the first of them is shown. Tells whether they are. */
  #unique(kind: string, parts: readonly string[], path: Path): boolean {
    const key = JSON.stringify([kind, ...parts]);
    const first = this.#seen.get(key);
    if (first) this.#fault(path, `duplicate ${kind} "${parts[0]}" (first in line ${this.#yaml.valueAt(first).line})`);
    else this.#seen.set(key, path);
    return first === undefined;
  }

  #fault(path: Path, message: string): void {
    this.faults.push({ file: this.#yaml.file, ...this.#yaml.valueAt(path), path: path.join('.'), message });
  }
}
