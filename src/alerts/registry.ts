/** The alert rules of the box: those of the file and those made over the API, kept in the records and handed to the engine. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { randomId } from '../core/short-id.ts';
import type { RecordStore, StoredDocument } from '../store/records.ts';
import type { RuleEngine, SavedWatches } from './engine.ts';
import { type Keeper, scopeOf } from './keeper.ts';
import type { Rule, RuleDraft, RuleKey, RuleSpec } from './rule.ts';

/** Of each tenant; what one costs is measured with as many. */
const MAX_RULES = 10_000;

export interface RuleRegistryOptions {
  readonly clock: Clock;
  readonly records: Pick<RecordStore, 'documents' | 'putDocument' | 'removeDocument'>;
  readonly engine: RuleEngine;
  readonly keeper: Keeper;
}

type RuleBody = RuleDraft & Pick<Rule, 'managedBy'>;

export class RuleRegistry {
  readonly #options: RuleRegistryOptions;
  readonly #rules = new Map<string, Rule>();
  /** One change at a time: settles when the last one so far is over. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: RuleRegistryOptions) {
    this.#options = options;
  }

  /** Takes up what the records remember, then what the file says; rules that left the file go. `savedOf` tells how a rule was left. */
  async load(specs: readonly RuleSpec[], savedOf: (rule: Rule) => SavedWatches | undefined): Promise<void> {
    const { records, engine, keeper } = this.#options;
    const wanted = new Set(specs.map(keyOf));
    for (const rule of (await records.documents('alert_rule')).map(fromDocument)) {
      if (rule.managedBy === 'config' && !wanted.has(keyOf(rule))) await records.removeDocument({ kind: 'alert_rule', ...idsOf(rule) });
      else this.#rules.set(keyOf(rule), rule);
    }
    for (const { tenant, id, ...draft } of specs) {
      const known = this.#rules.get(keyOf({ tenant, id }));
      const body: RuleBody = { ...draft, managedBy: 'config' };
      if (!known || !isDeepStrictEqual(bodyOf(known), plain(body))) await this.#put({ tenant, id }, body);
    }
    for (const rule of this.#rules.values()) {
      if (!rule.enabled) continue;
      const saved = savedOf(rule);
      engine.add(rule, saved);
      if (!saved) keeper.ruleBegins(rule, engine.watches(rule).values());
    }
  }

  get size(): number {
    return this.#rules.size;
  }

  /** Of the tenant, oldest first. */
  list(tenant: string): readonly Rule[] {
    const own = [...this.#rules.values()].filter((rule) => rule.tenant === tenant);
    return own.sort((left, right) => left.createdMs - right.createdMs || (left.id < right.id ? -1 : 1));
  }

  get(at: RuleKey): Rule | undefined {
    return this.#rules.get(keyOf(at));
  }

  /** Rejects `limit_reached` and as the records do; then nothing has changed. */
  create(tenant: string, draft: RuleDraft): Promise<Rule> {
    return this.#serially(async () => {
      if (this.list(tenant).length >= MAX_RULES) throw new GatewayError('limit_reached', `tenant ${tenant} has ${MAX_RULES} alert rules`);
      const rule = await this.#put({ tenant, id: randomId('ar-') }, { ...draft, managedBy: 'api' });
      if (rule.enabled) this.#begin(rule);
      return rule;
    });
  }

  /**
   * Makes of a rule what `edit` makes of it, which may refuse by throwing. Undefined when there is none. Another condition or
   * source ends the open alerts and begins anew. Rejects `managed_by_config` and as the records do; then nothing has changed.
   */
  change(at: RuleKey, edit: (rule: Rule) => RuleDraft): Promise<Rule | undefined> {
    return this.#serially(async () => {
      const present = this.get(at);
      if (!present) return undefined;
      const body: RuleBody = { ...edit(present), managedBy: 'api' };
      requireOwn(present);
      return this.#become(at, body);
    });
  }

  /** False when there is none. `allow` may refuse by throwing. Rejects as `change`. */
  remove(at: RuleKey, allow: (rule: Rule) => void): Promise<boolean> {
    return this.#serially(async () => {
      const present = this.get(at);
      if (!present) return false;
      allow(present);
      requireOwn(present);
      await this.#drop(present);
      return true;
    });
  }

  /**
   * What the file says now: one that says the same is not touched, and others change as over the API. Rejects as the records
   * do; what comes before has been taken then, and the rest has not.
   */
  takeFile(specs: readonly RuleSpec[]): Promise<void> {
    return this.#serially(async () => {
      const wanted = new Set(specs.map(keyOf));
      const gone = [...this.#rules.values()].filter((rule) => rule.managedBy === 'config' && !wanted.has(keyOf(rule)));
      for (const rule of gone) await this.#drop(rule);
      for (const { tenant, id, ...draft } of specs) await this.#become({ tenant, id }, { ...draft, managedBy: 'config' });
    });
  }

  /** Its states and open alerts stay where its condition does. */
  async #become(at: RuleKey, body: RuleBody): Promise<Rule> {
    const present = this.get(at);
    if (present && isDeepStrictEqual(bodyOf(present), plain(body))) return present;
    const rule = await this.#put(at, body);
    if (present?.enabled && rule.enabled && scopeOf(present) === scopeOf(rule)) this.#options.engine.rename(rule);
    else {
      if (present?.enabled) this.#end(present, rule.enabled ? 'rule_changed' : 'rule_disabled');
      if (rule.enabled) this.#begin(rule);
    }
    return rule;
  }

  async #drop(rule: Rule): Promise<void> {
    await this.#options.records.removeDocument({ kind: 'alert_rule', ...idsOf(rule) });
    this.#rules.delete(keyOf(rule));
    if (rule.enabled) this.#end(rule, 'rule_deleted');
  }

  #begin(rule: Rule): void {
    const { engine, keeper } = this.#options;
    engine.add(rule);
    keeper.ruleBegins(rule, engine.watches(rule).values());
  }

  #end(rule: Rule, resolution: 'rule_changed' | 'rule_disabled' | 'rule_deleted'): void {
    const { engine, keeper, clock } = this.#options;
    const watches = [...engine.watches(rule).values()];
    engine.remove(rule, resolution, clock.now());
    keeper.ruleEnds(rule, watches);
  }

  async #put(at: RuleKey, body: RuleBody): Promise<Rule> {
    const { clock, records } = this.#options;
    const rule = fromDocument(await records.putDocument({ kind: 'alert_rule', ...idsOf(at) }, body, clock.now()));
    this.#rules.set(keyOf(at), rule);
    return rule;
  }

  #serially<Result>(act: () => Promise<Result>): Promise<Result> {
    const mine = this.#changes.then(act);
    this.#changes = mine.catch(() => undefined); // the caller has the error
    return mine;
  }
}

function requireOwn({ id, managedBy }: Rule): void {
  if (managedBy === 'config') throw new GatewayError('managed_by_config', `alert rule ${id} comes from the configuration file`);
}

function fromDocument({ tenant, id, revision, createdMs, updatedMs, body }: StoredDocument): Rule {
  return { ...(body as RuleBody), tenant, id, revision, createdMs, updatedMs };
}

function bodyOf({ tenant: _tenant, id: _id, revision: _revision, createdMs: _createdMs, updatedMs: _updatedMs, ...body }: Rule): RuleBody {
  return plain(body);
}

/** As JSON gives it back: what is undefined is not there. */
function plain(body: RuleBody): RuleBody {
  return JSON.parse(JSON.stringify(body));
}

function idsOf({ tenant, id }: RuleKey): RuleKey {
  return { tenant, id };
}

function keyOf({ tenant, id }: RuleKey): string {
  return `${tenant}\0${id}`;
}
