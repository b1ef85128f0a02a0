/** The sources of the box as the API sees them: those of the file beside those that were made over it. */
import { randomUUID } from 'node:crypto';
import type { ApiServices } from '../api/services.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { DRIVERS } from '../drivers/registry.ts';
import type { SourceSpec } from '../ingest/source.ts';
import { draftOf, type SourceDraft, type SourceRegistry } from '../ingest/source-registry.ts';
import { type SourceTestResult, testSource } from '../ingest/source-test.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import { derivedConflicts } from './derived-conflicts.ts';
import { lineConflicts } from './line-conflicts.ts';
import type { SourceCheck } from './source-check.ts';

/** Each holds a connection and ten seconds at most. */
const MAX_TESTS = 4;

export interface SourceParts {
  readonly supervisor: Supervisor;
  readonly registry: SourceRegistry;
  readonly check: SourceCheck;
  readonly clock: Clock;
}

export function sourceServices({ supervisor, registry, check, clock }: SourceParts): ApiServices['sources'] {
  let tests = 0;
  const test = async (spec: SourceSpec): Promise<SourceTestResult> => {
    if (tests >= MAX_TESTS) throw new GatewayError('overloaded', `${MAX_TESTS} tests run already`);
    tests++;
    try {
      return await testSource(supervisor.isLive(spec) ? spec : forTrial(spec), { supervisor, clock });
    } finally {
      tests--;
    }
  };
  return {
    list: (tenant) => supervisor.list().filter((source) => source.tenant === tenant),
    find: (tenant, id) => {
      const view = supervisor.view(id);
      const spec = supervisor.specOf(id);
      if (!view || !spec || view.tenant !== tenant) return undefined;
      const stored = spec.managedBy === 'api' ? registry.get(id) : undefined;
      return {
        view,
        draft: stored ? draftOf(stored) : draftOfSpec(spec),
        revision: stored?.revision ?? null,
        updatedMs: stored?.updatedMs ?? null,
      };
    },
    faults: (draft, id) => check.faults(draft, id),
    conflicts: (draft, at) => {
      const specs = supervisor.specs();
      return [...derivedConflicts(draft, at, specs), ...lineConflicts(draft, at, specs)];
    },
    create: (tenant, draft) => registry.create(tenant, draft),
    change: (at, edit) => registry.change(at, edit),
    remove: (at, allow) => registry.remove(at, allow),
    revisions: (at) => registry.revisions(at),
    endpoint: (draft) => DRIVERS[draft.type].endpoint(draft.config),
    test: async (id) => {
      const spec = supervisor.specOf(id);
      if (!spec) throw new GatewayError('source_not_found', `there is no data source ${id}`);
      return test(spec);
    },
    testDraft: async (tenant, draft) => {
      const id = `ds-test-${randomUUID()}`;
      const runnable = check.resolve(draft, id);
      if ('fault' in runnable) throw new GatewayError('config_invalid', runnable.fault);
      return test({ ...draft, ...runnable, id, tenant, managedBy: 'api' });
    },
  };
}

/** A second connection must not take the first one's place at the device. */
function forTrial(spec: SourceSpec): SourceSpec {
  if (spec.fault !== undefined) return spec;
  return { ...spec, config: DRIVERS[spec.type].trial?.(spec.config) ?? spec.config };
}

/** The tags of a profile are not the source's own. */
function draftOfSpec({ name, type, enabled, profile, config, tags }: SourceSpec): SourceDraft {
  return { name, type, enabled, ...(profile !== undefined && { profile }), config, tags: profile === undefined ? tags : [] };
}
