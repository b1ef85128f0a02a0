/** A configuration that is read again while the plant runs: what did not change loses nothing. */
import { describe, expect, it } from 'vitest';
import { LiveSettings } from '../../src/app/live-settings.ts';
import { Reload } from '../../src/app/reload.ts';
import { type Log, type LogFields, silentLog } from '../../src/core/log.ts';
import { type SourceDraft, SourceRegistry } from '../../src/ingest/source-registry.ts';
import { EgressPolicy } from '../../src/system/egress.ts';
import { DevicePolicy, FilePolicy } from '../../src/system/file-policy.ts';
import { TwinRegistry } from '../../src/twin/registry.ts';
import { AlertRig } from '../alerts/rig.ts';
import { type ConfigFolder, configFolder } from '../config/config-folder.ts';
import { bench, missingIn } from '../ingest/bench.ts';
import { CREATED_MS, counting, plant } from '../ingest/fake-driver.ts';
import { MemoryRecords } from '../support/memory-records.ts';

const PERIOD_MS = 100;
const TOKEN = 'ab'.repeat(32);

interface Said {
  /** Source ids of the file, with their seeds. */
  readonly sources: Readonly<Record<string, number>>;
  readonly more?: string;
}

function load(folder: ConfigFolder, { sources, more = '' }: Said) {
  const lines = Object.entries(sources).map(
    ([id, seed]) => `  - { id: ${id}, name: ${id}, type: simulator, config: { seed: ${seed} }, tags: [{ tag_name: n, asset_id: pump }] }`,
  );
  return folder.load(`data_dir: data\nsources:${lines.length > 0 ? '' : ' []'}\n${lines.join('\n')}\n${more}`);
}

function running(first: Said) {
  const folder = configFolder();
  const b = bench({ slots: 4_096 });
  const p = plant(b);
  const lines: [LogFields, string][] = [];
  const line = (fields: LogFields, message: string) => void lines.push([fields, message]);
  const log: Log = { ...silentLog, info: line, warn: line, error: line };
  const records = new MemoryRecords();
  const resolve = ({ config, tags }: SourceDraft) => ({ config, tags });
  const registry = new SourceRegistry({ records, clock: b.clock, log: silentLog, resolve });
  const config = load(folder, first);
  const settings = new LiveSettings(config);
  const egress = new EgressPolicy({ allow: config.egressAllow });
  const files = new FilePolicy(config.filesAllow);
  const devices = new DevicePolicy(config.serialAllow);
  const count = (id: string) =>
    p.prepare(id, (driver) => {
      driver.onRun = counting(b, PERIOD_MS);
    });
  for (const spec of config.sources) {
    count(spec.id);
    p.supervisor.add(spec, CREATED_MS);
  }
  registry.start(p.supervisor);
  let gate = Promise.resolve();
  let release = () => {};
  const hold = () => {
    gate = new Promise((resolve) => {
      release = resolve;
    });
  };
  const createdTimes = async (sources: readonly { readonly id: string }[]) => {
    if (sources.length > 0) await gate;
    return new Map(sources.map(({ id }) => [id, CREATED_MS]));
  };
  const twins = new TwinRegistry({ clock: b.clock, log: silentLog, records, autoTwins: true, isPackSource: () => false });
  const { alerting } = new AlertRig();
  const policies: unknown[] = [];
  const store = { setRetention: async (policy: unknown) => void policies.push(policy) };
  const channels: (readonly unknown[])[] = [];
  const notifications = { take: (specs: readonly unknown[]) => void channels.push(specs) };
  const parts = {
    notifications,
    supervisor: p.supervisor,
    registry,
    settings,
    egress,
    files,
    devices,
    twins,
    rules: alerting.rules,
    store,
    createdTimes,
    log,
  };
  const reload = new Reload(config, parts);
  const take = (said: Said) => reload.take(load(folder, said));
  const path = folder.path('config.yaml');
  return {
    b,
    p,
    reload,
    registry,
    settings,
    egress,
    files,
    twins,
    alerting,
    policies,
    channels,
    path,
    lines,
    take,
    hold,
    release: () => release(),
  };
}

describe('a configuration that is read again', () => {
  it('a hundred times, between a hundred changes over the API, costs the sources that stay as they are not one sample', async () => {
    const r = running({ sources: { steady: 1, other: 1, moving: 1 } });
    const draft: SourceDraft = { name: 'made', type: 'simulator', enabled: true, config: { seed: 1 }, tags: [] };
    const made = await r.registry.create('default', draft);
    const still = await r.registry.create('default', draft);
    const changes = (async () => {
      for (let round = 1; round <= 100; round++) {
        await r.take({ sources: { steady: 1, other: 1, moving: round + 1, ...(round % 2 ? { [`guest-${round % 3}`]: round } : {}) } });
        await r.registry.change(made, (present) => ({ ...present, config: { seed: round + 1 } }));
        await r.b.clock.sleep(50);
      }
    })();
    await r.b.clock.advance(30_000);
    await changes;
    for (const id of ['steady', 'other']) {
      expect(r.b.stored(id).map(({ value }) => value)).toEqual(Array.from({ length: 301 }, (_, index) => index));
      expect(r.p.driver(id)).toMatchObject({ connects: [0], closes: [] });
    }
    expect(r.p.driver(still.id).closes).toEqual([]);
    expect(r.p.made.filter(({ source }) => source === 'moving')).toHaveLength(101);
    expect(r.p.made.filter(({ source }) => source === made.id)).toHaveLength(101);
    for (const { ledger } of r.p.supervisor.list()) expect(missingIn(ledger)).toBe(0);
    await r.p.supervisor.stop();
  });

  it('adds, changes and removes sources, and says which', async () => {
    const r = running({ sources: { a: 1, b: 1, c: 1 } });
    await r.b.clock.advance(0);
    await r.take({ sources: { a: 1, b: 2, d: 1 } });
    await r.b.clock.advance(0);
    expect(r.p.supervisor.list().map(({ id, state }) => [id, state])).toEqual([
      ['a', 'connected'],
      ['b', 'connected'],
      ['d', 'connected'],
    ]);
    expect(r.lines).toEqual([[{ sources: { added: ['d'], changed: ['b'], removed: ['c'] } }, 'the configuration was read again']]);
    await r.p.supervisor.stop();
  });

  it('is taken whole before the next one, whatever that takes', async () => {
    const r = running({ sources: {} });
    r.hold();
    const first = r.take({ sources: { a: 1 } });
    const second = r.take({ sources: {} });
    await r.b.clock.advance(0);
    r.release();
    await Promise.all([first, second]);
    expect(r.p.supervisor.list()).toEqual([]);
  });

  it('says from now on which files sources made over the API may name', async () => {
    const r = running({ sources: {} });
    expect(r.files.denial('/etc/twinbox/keys/plc.pem')).toBeDefined();
    await r.take({ sources: {}, more: 'security: { files: { allow: [/etc/twinbox/keys] } }' });
    expect(r.files.denial('/etc/twinbox/keys/plc.pem')).toBeUndefined();
  });

  it('takes tenants, tokens and egress rules at once', async () => {
    const r = running({ sources: {} });
    expect([r.settings.isTenant('northwind'), r.settings.token(TOKEN), r.egress.literalDenial('203.0.113.7', 502)?.part]).toEqual([
      false,
      undefined,
      'host',
    ]);
    await r.take({
      sources: {},
      more: [
        'tenants: [{ id: northwind, name: Northwind }]',
        `api: { listen: "127.0.0.1:3999", tokens: [{ name: scada, sha256: ${TOKEN}, scopes: [read:telemetry] }] }`,
        'security: { egress: { allow: [203.0.113.0/24] } }',
      ].join('\n'),
    });
    expect(r.settings.isTenant('northwind')).toBe(true);
    expect(r.settings.token(TOKEN)?.name).toBe('scada');
    expect(r.egress.literalDenial('203.0.113.7', 502)).toBeUndefined();
    expect(r.egress.literalDenial('10.0.0.5', 502)).toBeDefined();
  });

  it('names each key that needs a restart with its place, once, and again when it says something else', async () => {
    const r = running({ sources: {} });
    const named = () => r.lines.splice(0).flatMap(([fields, message]) => ('key' in fields ? [message.replace(r.path, 'config.yaml')] : []));
    const api = (port: number) => ({ sources: {}, more: `store:\n  profile: sd-card\napi: { listen: "127.0.0.1:${port}" }` });
    await r.take(api(3_999));
    expect(named()).toEqual(['config.yaml:6:8 api.listen needs a restart', 'config.yaml:5:3 store.profile needs a restart']);
    await r.take(api(3_999));
    expect(named()).toEqual([]);
    await r.take(api(3_998));
    expect(named()).toEqual(['config.yaml:6:8 api.listen needs a restart']);
    await r.take({ sources: {} });
    expect(named()).toEqual([]);
    await r.take(api(3_998));
    expect(named()).toHaveLength(2);
  });

  it('takes twins and their types, alert rules, channels and retention at once', async () => {
    const r = running({ sources: {} });
    const more = [
      'twin_types: [kiln]',
      'twins: [{ id: oven, name: Oven, type: kiln }]',
      'alert_rules: [{ id: hot, name: Hot, severity: warning, condition: { tag_name: t, operator: gt, value: 80 } }]',
      'store: { retention: { raw: 90d } }',
      'notifications: { channels: { hook: { type: webhook, url: "https://mes.plant/hook" } } }',
    ].join('\n');
    await r.take({ sources: {}, more });
    expect(r.settings.twinTypes).toEqual(['kiln']);
    expect(r.twins.get('default', 'oven')).toMatchObject({ name: 'Oven', type: 'kiln', managedBy: 'config' });
    expect(r.alerting.rules.get({ tenant: 'default', id: 'hot' })).toMatchObject({ name: 'Hot', managedBy: 'config' });
    expect(r.channels).toMatchObject([[{ name: 'hook', config: { url: 'https://mes.plant/hook' } }]]);
    expect(r.policies).toMatchObject([{ maxAgeMs: 90 * 86_400_000 }]);
    expect(r.settings.rawMaxAgeMs).toBe(90 * 86_400_000);
    await r.take({ sources: {}, more });
    expect(r.policies).toHaveLength(1);
    await r.take({ sources: {} });
    expect([r.twins.list('default'), r.alerting.rules.list('default'), r.settings.rawMaxAgeMs]).toEqual([[], [], null]);
  });

  it('says which twins, alert rules and channels were added, changed and removed, and of many the first', async () => {
    const r = running({ sources: {} });
    const said = () => r.lines.splice(0).map(([fields]) => fields);
    const more = (names: readonly string[], value: number, url: string) =>
      [
        'tenants: [{ id: northwind, name: Northwind }]',
        `twins: [${names.map((id) => `{ id: ${id}, name: n${value}${id === 'far' ? ', tenant: northwind' : ''} }`).join(', ')}]`,
        `alert_rules: [${names.map((id) => `{ id: ${id}, name: ${id}, severity: info, condition: { tag_name: t, operator: gt, value: ${value} } }`).join(', ')}]`,
        `notifications: { channels: { ${names.map((id) => `${id}: { type: webhook, url: "${url}" }`).join(', ')} } }`,
      ].join('\n');
    await r.take({ sources: {}, more: more(['a', 'far'], 1, 'https://one.plant') });
    expect(said()).toEqual([
      { twins: { added: ['a', 'northwind/far'] }, alert_rules: { added: ['a', 'far'] }, channels: { added: ['a', 'far'] } },
    ]);
    await r.take({ sources: {}, more: more(['a', 'b'], 2, 'https://two.plant') });
    const changed = { added: ['b'], changed: ['a'], removed: ['far'] };
    expect(said()).toEqual([{ twins: { ...changed, removed: ['northwind/far'] }, alert_rules: changed, channels: changed }]);
    await r.take({ sources: {}, more: more(['a', 'b'], 2, 'https://two.plant') });
    expect(said()).toEqual([{}]);
    const many = Array.from({ length: 120 }, (_, index) => `{ id: twin-${index}, name: n }`);
    await r.take({ sources: {}, more: `twins: [${many.join(', ')}]` });
    const [line] = said() as [{ readonly twins: { readonly added: readonly string[] } }];
    expect(line.twins.added).toHaveLength(51);
    expect(line.twins.added.slice(-2)).toEqual(['twin-49', 'and 70 more']);
  });

  it('goes on with the other parts when one cannot be taken, which the next reload tries again', async () => {
    const r = running({ sources: {} });
    const more = 'alert_rules: [{ id: hot, name: Hot, severity: warning, condition: { tag_name: t, operator: gt, value: 80 } }]';
    const { rules } = r.alerting;
    const take = rules.takeFile.bind(rules);
    rules.takeFile = () => Promise.reject(new Error('the disk is away'));
    await r.take({ sources: {}, more: `${more}\nstore: { retention: { raw: 90d } }` });
    expect(r.lines.at(-1)).toEqual([{ part: 'alert_rules', reason: 'the disk is away' }, 'a part of the configuration could not be taken']);
    expect(r.policies).toHaveLength(1);
    rules.takeFile = take;
    await r.take({ sources: {}, more });
    expect(rules.list('default')).toHaveLength(1);
  });

  it('that uses the id of a source made over the API is refused, and changes nothing', async () => {
    const r = running({ sources: { a: 1 } });
    const made = await r.registry.create('default', { name: 'x', type: 'simulator', enabled: true, config: {}, tags: [] });
    await expect(r.take({ sources: { a: 2, b: 1, [made.id]: 1 } })).rejects.toMatchObject({ code: 'config_invalid' });
    expect(r.p.made.filter(({ source }) => source === 'a' || source === 'b')).toHaveLength(1);
    await r.p.supervisor.stop();
  });
});
