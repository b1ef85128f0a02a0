/** Whose device a tag is, and what was asked of it last. */
import { expect, it } from 'vitest';
import { Devices } from '../../src/app/devices.ts';
import type { Scalar } from '../../src/core/tag.ts';
import type { WriteOutcome } from '../../src/ingest/commands.ts';
import type { SourceSpec, SourceTag } from '../../src/ingest/source.ts';
import { TagTable } from '../../src/ingest/tag-table.ts';
import type { LastWrite } from '../../src/ingest/write-book.ts';

const never = new AbortController().signal;

function source(id: string, tags: readonly SourceTag[], tenant = 'default'): SourceSpec {
  return { id, tenant, name: id, type: 'mqtt', enabled: true, managedBy: 'config', config: {}, tags };
}

/** Writes end when `end` is called. */
function plant(specs: SourceSpec[]) {
  const table = new TagTable(() => undefined);
  let end: (outcome: WriteOutcome) => void = () => undefined;
  const books = new Map<string, LastWrite>();
  const sent: unknown[] = [];
  const devices = new Devices(table, {
    specs: () => specs,
    write: (id, tag, value) => {
      sent.push([id, tag, value]);
      return new Promise((resolve) => {
        end = (outcome) => {
          books.set(`${id}/${tag.assetId}/${tag.tagName}`, { value, atMs: 0 as LastWrite['atMs'], outcome });
          resolve(outcome);
        };
      });
    },
    lastWrite: (id, tag) => books.get(`${id}/${tag.assetId}/${tag.tagName}`),
  });
  return { devices, table, sent, end: (outcome: WriteOutcome) => end(outcome) };
}

const at = (asset: string, tag: string) => ({ asset, tag });

it('a tag belongs to the source that names it, in its tenant alone; one without an asset to the asset called as the source', () => {
  const { devices } = plant([
    source('ds-1', [
      { tag_name: 'power', asset_id: 'pump', writable: true },
      { tag_name: 'flow', writable: false },
    ]),
  ]);
  expect(devices.owner('default', at('pump', 'power'))).toEqual({ source: 'ds-1', writable: true });
  expect(devices.owner('default', at('ds-1', 'flow'))).toEqual({ source: 'ds-1', writable: false });
  expect(devices.owner('northwind', at('pump', 'power'))).toBeUndefined();
  expect(devices.owner('default', at('pump', 'speed'))).toBeUndefined();
  expect(devices.owner('default', { ...at('pump', 'power'), source: 'ds-2' })).toBeUndefined();
});

it('a tag that a topic names belongs to the source that has fed it, is written by the tenant of that one alone, and belongs to nobody once the source is gone', () => {
  const specs = [
    source('ds-hall', [{ writable: true }], 'northwind'),
    source('ds-plain', [{ writable: false }]),
    source('ds-shared', [{ writable: true }, { writable: false }]),
  ];
  const { devices, table } = plant(specs);
  table.resolve({ tenant: 'northwind', source: 'ds-hall', asset: 'oven', tag: 'heat', valueType: 'f64' });
  table.resolve({ tenant: 'northwind', source: 'ds-shared', asset: 'fan', tag: 'heat', valueType: 'f64' });
  table.resolve({ tenant: 'default', source: 'ds-plain', asset: 'oven', tag: 'heat', valueType: 'f64' });
  table.resolve({ tenant: 'default', source: 'api', asset: 'oven', tag: 'note', valueType: 'string' });
  expect(devices.owner('northwind', at('oven', 'heat'))).toEqual({ source: 'ds-hall', writable: true });
  expect(devices.owner('default', at('oven', 'heat'))).toEqual({ source: 'ds-plain', writable: false });
  expect(devices.owner('default', at('oven', 'note'))).toBeUndefined();
  expect(devices.owner('northwind', at('fan', 'heat'))).toEqual({ source: 'ds-shared', writable: false });
  specs.splice(1, 1);
  expect(devices.owner('default', at('oven', 'heat'))).toBeUndefined();
});

it('a source that was changed is asked anew', () => {
  const specs = [source('ds-1', [{ tag_name: 'power', asset_id: 'pump', writable: false }])];
  const { devices } = plant(specs);
  expect(devices.owner('default', at('pump', 'power'))?.writable).toBe(false);
  specs[0] = source('ds-1', [{ tag_name: 'power', asset_id: 'pump', writable: true }]);
  expect(devices.owner('default', at('pump', 'power'))?.writable).toBe(true);
});

it('the last command is the one on its way, then how it ended', async () => {
  const { devices, sent, end } = plant([source('ds-1', [{ tag_name: 'power', asset_id: 'pump', writable: true }])]);
  const owner = { source: 'ds-1', writable: true };
  const last = () => devices.lastCommand(owner, at('pump', 'power'));
  const write = async (value: Scalar, outcome: WriteOutcome) => {
    const writing = devices.write(owner, at('pump', 'power'), value, never);
    expect(last()).toEqual({ value, failure: null, pending: true });
    end(outcome);
    expect(await writing).toBe(outcome);
  };
  expect(last()).toBeUndefined();
  await write(true, { ok: false, code: 'write_refused', message: 'no' });
  expect(last()).toEqual({ value: true, failure: 'write_refused', pending: false });
  await write(false, { ok: true, value: false, timeMs: 0 as LastWrite['atMs'] });
  expect(last()).toEqual({ value: false, failure: null, pending: false });
  expect(sent).toHaveLength(2);
});
