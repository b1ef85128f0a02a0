/** The data sources under the API in memory: the real registry and the real checks over records and a supervisor that only remember. */
import type { ApiServices } from '../../src/api/services.ts';
import { derivedConflicts } from '../../src/app/derived-conflicts.ts';
import { SourceCheck } from '../../src/app/source-check.ts';
import { parseCidr } from '../../src/core/cidr.ts';
import type { Clock } from '../../src/core/clock.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { DRIVERS } from '../../src/drivers/registry.ts';
import type { SourceSpec } from '../../src/ingest/source.ts';
import { draftOf, type SourceDraft, SourceRegistry } from '../../src/ingest/source-registry.ts';
import type { SourceView } from '../../src/ingest/source-state.ts';
import type { SourceTestResult } from '../../src/ingest/source-test.ts';
import { EgressPolicy } from '../../src/system/egress.ts';
import { DevicePolicy, FilePolicy } from '../../src/system/file-policy.ts';
import { MemoryRecords } from './memory-records.ts';

const PLANT = ['10.0.0.0/8', '192.168.0.0/16', 'fc00::/7'].flatMap((block) => parseCidr(block) ?? []);
const MODBUS = DRIVERS.modbus.configSchema.parse({ host: '10.0.0.5' });
const CONFIG: SourceDraft = { name: 'of the file', type: 'simulator', enabled: true, config: {}, tags: [] };

export class FakeSources {
  readonly records = new MemoryRecords();
  readonly registry: SourceRegistry;
  readonly services: ApiServices['sources'];
  /** What the supervisor was told, in order. */
  readonly told: (readonly ['add' | 'change' | 'remove', string])[] = [];
  readonly specs = new Map<string, SourceSpec>();
  readonly #show: (spec: SourceSpec, createdMs: UnixMs) => void;
  tested: SourceTestResult = {
    success: true,
    latencyMs: 3,
    message: 'the connection stands',
    checks: [],
    live: false,
    server: {},
    sample: null,
  };

  constructor(all: SourceView[], clock: Clock, viewOf: (view: Partial<SourceView> & { readonly id: string }) => void) {
    const show = (spec: SourceSpec, createdMs: UnixMs) => {
      const { id, tenant, name, type, managedBy } = spec;
      viewOf({
        id,
        tenant,
        name,
        type,
        managedBy,
        createdMs,
        endpoint: DRIVERS[spec.type].endpoint(spec.config),
        tagCount: spec.tags.length,
      });
      this.specs.set(id, spec);
    };
    this.#show = show;
    const hide = (id: string): UnixMs | undefined => {
      const at = all.findIndex((view) => view.id === id);
      return at < 0 ? undefined : all.splice(at, 1)[0]?.createdMs;
    };
    const check = new SourceCheck({
      egress: new EgressPolicy({ allow: PLANT }),
      files: new FilePolicy(['/etc/twinbox/certs']),
      devices: new DevicePolicy(['/dev/serial/by-id']),
      profilesDir: '/nowhere',
    });
    this.registry = new SourceRegistry({
      records: this.records,
      clock,
      log: silentLog,
      resolve: (draft, id) => check.resolve(draft, id),
    });
    this.registry.start({
      add: (spec, createdMs) => {
        this.told.push(['add', spec.id]);
        show(spec, createdMs);
      },
      change: async (spec) => {
        this.told.push(['change', spec.id]);
        show(spec, hide(spec.id) ?? clock.now());
      },
      remove: async (id) => {
        this.told.push(['remove', id]);
        hide(id);
        this.specs.delete(id);
      },
    });
    this.services = {
      list: (tenant) => all.filter((view) => view.tenant === tenant),
      find: (tenant, id) => {
        const view = all.find((each) => each.tenant === tenant && each.id === id);
        const stored = this.registry.get(id);
        return (
          view && {
            view,
            draft: stored ? draftOf(stored) : CONFIG,
            revision: stored?.revision ?? null,
            updatedMs: stored?.updatedMs ?? null,
          }
        );
      },
      faults: (draft, id) => check.faults(draft, id),
      conflicts: (draft, at) => derivedConflicts(draft, at, [...this.specs.values()]),
      endpoint: (draft) => DRIVERS[draft.type].endpoint(draft.config),
      create: (tenant, draft) => this.registry.create(tenant, draft),
      change: (at, edit) => this.registry.change(at, edit),
      remove: (at, allow) => this.registry.remove(at, allow),
      revisions: (at) => this.registry.revisions(at),
      test: async (id) => {
        if (!all.some((view) => view.id === id)) throw new GatewayError('source_not_found', 'it is not there');
        return this.tested;
      },
      testDraft: async () => this.tested,
    };
  }

  /** A source that was made over the API before. */
  put(id: string, more: Partial<SourceDraft> & { readonly tenant?: string } = {}, createdMs = 0 as UnixMs): void {
    const { tenant = 'default', ...fields } = more;
    const draft = { name: id, type: 'modbus' as const, enabled: true, config: { ...MODBUS }, tags: [], ...fields };
    const key = { tenant, id };
    const document = { kind: 'data_source' as const, ...key, revision: 1, createdMs, updatedMs: createdMs, body: draft };
    this.registry.load([document], new Set());
    const revision = { revision: 1, savedMs: createdMs, draft };
    void this.records.putDocuments([
      { kind: 'data_source', ...key, body: draft, atMs: createdMs },
      { kind: 'data_source_revision', tenant, id: `${id}@1`, body: revision, atMs: createdMs },
    ]);
    this.#show({ ...key, ...draft, managedBy: 'api' }, createdMs);
  }
}
