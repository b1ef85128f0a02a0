/** The sources as the API sees them: whose they are, what of them is their own, and how many are tried at once. */
import { expect, it } from 'vitest';
import { SourceCheck } from '../../src/app/source-check.ts';
import { sourceServices } from '../../src/app/sources.ts';
import { silentLog } from '../../src/core/log.ts';
import { configSchema } from '../../src/drivers/mqtt/options.ts';
import { SourceRegistry } from '../../src/ingest/source-registry.ts';
import { EgressPolicy } from '../../src/system/egress.ts';
import { DevicePolicy, FilePolicy } from '../../src/system/file-policy.ts';
import { bench } from '../ingest/bench.ts';
import { CREATED_MS, never, plant, source } from '../ingest/fake-driver.ts';
import { MemoryRecords } from '../support/memory-records.ts';

function house() {
  const b = bench();
  const p = plant(b);
  const registry = new SourceRegistry({
    records: new MemoryRecords(),
    clock: b.clock,
    log: silentLog,
    resolve: ({ config, tags }) => ({ config, tags }),
  });
  registry.start(p.supervisor);
  const check = new SourceCheck({
    egress: new EgressPolicy({ allow: [] }),
    files: new FilePolicy([]),
    devices: new DevicePolicy([]),
    profilesDir: '/nowhere',
  });
  return { b, p, sources: sourceServices({ supervisor: p.supervisor, registry, check, clock: b.clock }) };
}

it('four sources are tried at once and no more, until one of the trials is over', async () => {
  const { b, p, sources } = house();
  const ids = ['a', 'b', 'c', 'd', 'e'];
  for (const id of ids) {
    p.prepare(id, (driver) => {
      driver.onConnect = never;
    });
    p.supervisor.add(source(id, { enabled: false }), CREATED_MS);
  }
  const trials = ids.slice(0, 4).map((id) => sources.test(id));
  await expect(sources.test('e')).rejects.toMatchObject({ code: 'overloaded' });
  await b.clock.advance(20_000);
  for (const { success } of await Promise.all(trials)) expect(success).toBe(false);
  const fifth = sources.test('e');
  await b.clock.advance(20_000);
  expect(await fifth).toMatchObject({ success: false });
});

it('a source that has no link is tried under another name than its own, which may have one elsewhere', async () => {
  const { b, p, sources } = house();
  const seen: unknown[] = [];
  p.onLoad = async ({ config }) => void seen.push((config as { client_id?: string }).client_id);
  const config = configSchema.parse({ broker_url: 'mqtt://127.0.0.1', client_id: 'hall-7', clean_session: false });
  p.supervisor.add(source('hall', { type: 'mqtt', enabled: false, config }), CREATED_MS);
  const trial = sources.test('hall');
  await b.clock.advance(20_000);
  await trial;
  expect(seen).toHaveLength(1);
  expect(seen).not.toContain('hall-7');
});

it('a source is found by its own tenant alone, and the tags of a profile are not shown as its own', () => {
  const { p, sources } = house();
  const tags = [{ tag_name: 'level', asset_id: 'pump', writable: false }];
  p.supervisor.add(source('plc', { tags, enabled: false }), CREATED_MS);
  p.supervisor.add(source('pack', { tags, enabled: false, profile: 'generic' }), CREATED_MS);
  expect(sources.find('northwind', 'plc')).toBeUndefined();
  expect(sources.find('default', 'plc')?.draft.tags).toEqual(tags);
  expect(sources.find('default', 'pack')?.draft).toMatchObject({ profile: 'generic', tags: [] });
});
