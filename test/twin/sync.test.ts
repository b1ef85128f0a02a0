/** A sync reads every bound tag once, tells what changed, and says honestly what it could not read. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import type { Scalar } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { DocumentWrite, RecordStore, StoredDocument } from '../../src/store/records.ts';
import { type DeviceAnswer, type Devices, type DeviceTag, TwinSync } from '../../src/twin/sync.ts';
import type { LiveReading, Sensor } from '../../src/twin/twin.ts';
import { ManualClock, MORNING_MS } from '../support/manual-clock.ts';
import { twinOf } from '../support/twin.ts';

const FORCED = { force: true, timeoutMs: 30_000 };
const USUAL = { force: false, timeoutMs: 30_000 };

const sensor = (id: string, tag = id): Sensor => ({ id, name: id, unit: '', binding: { asset: 'pump', tag }, bindingExplicit: false });

const PUMP = twinOf({
  id: 'pump',
  createdMs: (MORNING_MS - 1_000) as UnixMs,
  sensors: [sensor('temperature'), sensor('pressure'), sensor('note', 'by hand')],
  actuators: [{ id: 'power', name: 'Power', type: 'binary', binding: { asset: 'pump', tag: 'power' } }],
});

/** `plc/temperature` and the like; `by hand` has no source. */
const SOURCES: Readonly<Record<string, readonly string[]>> = { temperature: ['plc'], pressure: ['cell'], power: ['plc'], 'by hand': [] };

/** A plant in memory, and the twins that see what was read once it is committed. */
class Plant implements Devices {
  readonly clock = new ManualClock();
  readonly saved: StoredDocument[] = [];
  readonly reads: (readonly DeviceTag[])[] = [];
  readonly device = new Map<string, Scalar>();
  readonly shown = new Map<string, LiveReading>();
  /** By source. */
  readonly faults = new Map<string, DeviceAnswer>();
  /** While set, reads wait for it. */
  gate: Promise<void> | undefined;
  commitError: Error | undefined;
  commits = 0;
  #read: readonly DeviceTag[] = [];
  sync = this.restarted();

  restarted(): TwinSync {
    const records: Pick<RecordStore, 'documents' | 'putDocuments' | 'removeDocument'> = {
      documents: async (kind) => this.saved.filter((document) => document.kind === kind),
      removeDocument: async ({ kind, id }) => {
        const at = this.saved.findIndex((document) => document.kind === kind && document.id === id);
        return at >= 0 && this.saved.splice(at, 1).length > 0;
      },
      putDocuments: async (writes: readonly DocumentWrite[]) => {
        for (const { atMs, ...write } of writes) this.saved.push({ ...write, revision: 1, createdMs: atMs, updatedMs: atMs });
      },
    };
    return new TwinSync({ clock: this.clock, log: silentLog, devices: this, records });
  }

  tagsOf(_tenant: string, { asset, tag, source }: Sensor['binding']): readonly DeviceTag[] {
    return (SOURCES[tag] ?? [])
      .filter((id) => source === undefined || id === source)
      .map((sourceId) => ({ sourceId, assetId: asset, tagName: tag }));
  }

  async read(tags: readonly DeviceTag[], signal: AbortSignal): Promise<readonly DeviceAnswer[]> {
    this.reads.push(tags);
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await Promise.race([this.gate, aborted]);
    if (signal.aborted) return tags.map(() => ({ ok: false, code: 'timeout', message: 'too slow' }));
    this.#read = tags.filter(({ sourceId }) => !this.faults.has(sourceId));
    return tags.map(({ sourceId }) => this.faults.get(sourceId) ?? { ok: true });
  }

  async committed(): Promise<void> {
    this.commits++;
    if (this.commitError) throw this.commitError;
    for (const { tagName } of this.#read) this.show(tagName, this.device.get(tagName) ?? 0);
  }

  show(tag: string, value: Scalar): void {
    const nowMs = this.clock.now();
    this.shown.set(tag, { value, valueMs: nowMs, quality: 'good', status: 0, newestMs: nowMs, source: SOURCES[tag]?.[0] ?? 'api' });
  }

  reading(_tenant: string, { tag }: Sensor['binding']): LiveReading | undefined {
    return this.shown.get(tag);
  }
}

const down: DeviceAnswer = { ok: false, code: 'not_connected', message: 'no answer' };

describe('a sync', () => {
  it('reads each bound tag, and tells the values that differ once they are committed', async () => {
    const plant = new Plant();
    plant.show('temperature', 65.5);
    plant.show('pressure', 2.5);
    plant.device.set('temperature', 66.2).set('pressure', 2.5).set('power', true);
    const result = await plant.sync.run(PUMP, USUAL);
    expect(result).toMatchObject({ status: 'completed', timeMs: MORNING_MS, sensorsUpdated: 2, actuatorsUpdated: 1, errors: [] });
    expect([...result.changes]).toEqual([
      ['temperature', { before: 65.5, after: 66.2 }],
      ['power', { before: null, after: true }],
    ]);
    expect(plant.reads).toHaveLength(1);
    expect(plant.reads[0]?.map(({ sourceId, tagName }) => `${sourceId}/${tagName}`)).toEqual([
      'plc/temperature',
      'cell/pressure',
      'plc/power',
    ]);
    expect(plant.commits).toBe(1);
  });

  it('reads a tag behind two sensors once, and counts both', async () => {
    const plant = new Plant();
    const result = await plant.sync.run(
      { ...PUMP, sensors: [sensor('a', 'temperature'), sensor('b', 'temperature')], actuators: [] },
      USUAL,
    );
    expect(result).toMatchObject({ status: 'completed', sensorsUpdated: 2 });
    expect(plant.reads[0]).toHaveLength(1);
  });

  it('reads the tag that an actuator without a binding has by its own id', async () => {
    const plant = new Plant();
    plant.device.set('power', true);
    const result = await plant.sync.run({ ...PUMP, sensors: [], actuators: [{ id: 'power', name: 'Power', type: 'binary' }] }, USUAL);
    expect(result).toMatchObject({ status: 'completed', actuatorsUpdated: 1 });
    expect(plant.reads[0]).toEqual([{ sourceId: 'plc', assetId: 'pump', tagName: 'power' }]);
    expect([...result.changes.keys()]).toEqual(['power']);
  });

  it('completes without a bound tag, and reads nothing', async () => {
    const plant = new Plant();
    const result = await plant.sync.run({ ...PUMP, sensors: [sensor('note', 'by hand')], actuators: [] }, USUAL);
    expect(result).toMatchObject({ status: 'completed', sensorsUpdated: 0, actuatorsUpdated: 0, errors: [] });
    expect(plant.reads).toEqual([]);
  });

  it('is partial when one of two sources is down, and names what is missing', async () => {
    const plant = new Plant();
    plant.faults.set('cell', down);
    plant.device.set('temperature', 1);
    const result = await plant.sync.run(PUMP, USUAL);
    expect(result).toMatchObject({ status: 'partial', sensorsUpdated: 1, actuatorsUpdated: 1 });
    expect(result.errors).toEqual([{ part: 'sensor', id: 'pressure', source: 'cell', code: 'not_connected', message: 'no answer' }]);
    expect(plant.sync.lastMs(PUMP)).toBeNull();
    expect((await plant.sync.run(PUMP, USUAL)).status).toBe('partial'); // tried again at once
  });

  it('fails when no source answers, and is late when all of them are', async () => {
    const plant = new Plant();
    plant.faults.set('cell', down).set('plc', { ok: false, code: 'timeout', message: 'silent' });
    expect(await plant.sync.run(PUMP, USUAL)).toMatchObject({ status: 'failed', sensorsUpdated: 0 });
    plant.faults.set('cell', { ok: false, code: 'timeout', message: 'silent' });
    expect((await plant.sync.run(PUMP, USUAL)).status).toBe('timed_out');
    expect(plant.commits).toBe(0);
  });

  it('ends with the time that the caller gave', async () => {
    const plant = new Plant();
    plant.gate = new Promise(() => undefined);
    const run = plant.sync.run(PUMP, { force: false, timeoutMs: 2_000 });
    await plant.clock.advance(1_999);
    expect(await Promise.race([run, 'waits'])).toBe('waits');
    await plant.clock.advance(1);
    expect((await run).status).toBe('timed_out');
    expect(plant.clock.sleeping).toBe(0);
  });

  it('runs once at a time for each twin, shared by callers, who each wait for as long as they like', async () => {
    const plant = new Plant();
    let open = () => {};
    plant.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = plant.sync.run(PUMP, USUAL);
    const second = plant.sync.run(PUMP, FORCED);
    const hasty = plant.sync.run(PUMP, { force: true, timeoutMs: 1_000 });
    const other = plant.sync.run({ ...PUMP, id: 'other' }, USUAL);
    await plant.clock.advance(1_000);
    expect((await hasty).status).toBe('timed_out');
    open();
    expect(await second).toBe(await first);
    expect((await first).status).toBe('completed');
    await other;
    expect(plant.reads).toHaveLength(2);
    expect(plant.clock.sleeping).toBe(0);
  });

  it('is skipped within a minute of the last one unless it is forced, also after a restart', async () => {
    const plant = new Plant();
    await plant.sync.run(PUMP, USUAL);
    await plant.clock.advance(59_999);
    plant.sync = plant.restarted();
    await plant.sync.load();
    expect(await plant.sync.run(PUMP, USUAL)).toMatchObject({ status: 'skipped', timeMs: MORNING_MS, sensorsUpdated: 0, errors: [] });
    expect((await plant.sync.run(PUMP, FORCED)).status).toBe('completed');
    await plant.clock.advance(60_000);
    expect((await plant.sync.run(PUMP, USUAL)).status).toBe('completed');
    expect(plant.sync.lastMs(PUMP)).toBe(plant.clock.now());
  });

  it('forgets a sync of an earlier twin of the same id', async () => {
    const plant = new Plant();
    await plant.sync.run(PUMP, USUAL);
    const reborn = { ...PUMP, createdMs: (MORNING_MS + 1) as UnixMs };
    expect(plant.sync.lastMs(reborn)).toBeNull();
    expect((await plant.sync.run(reborn, USUAL)).status).toBe('completed');
  });

  it('leaves nothing behind when its twin is deleted', async () => {
    const plant = new Plant();
    await plant.sync.run(PUMP, USUAL);
    expect(plant.saved).toHaveLength(1);
    await plant.sync.forget(PUMP);
    await plant.sync.forget(PUMP);
    expect([plant.saved, plant.sync.lastMs(PUMP)]).toEqual([[], null]);
  });

  it('takes what a device that cannot be asked said within the last minute, and tells when that is longer ago', async () => {
    const plant = new Plant();
    plant.faults.set('cell', { ok: false, code: 'not_supported', message: 'speaks when it likes' });
    plant.show('pressure', 2.5);
    await plant.clock.advance(59_999);
    expect(await plant.sync.run(PUMP, FORCED)).toMatchObject({ status: 'completed', sensorsUpdated: 1, actuatorsUpdated: 1 });
    await plant.clock.advance(1);
    const late = await plant.sync.run(PUMP, FORCED);
    expect(late).toMatchObject({ status: 'partial', sensorsUpdated: 1 });
    expect(late.errors).toMatchObject([{ id: 'pressure', code: 'not_supported' }]);
    plant.shown.set('pressure', { ...(plant.shown.get('pressure') as LiveReading), newestMs: plant.clock.now(), quality: 'bad' });
    expect((await plant.sync.run(PUMP, FORCED)).errors).toMatchObject([{ id: 'pressure', code: 'not_supported' }]);
  });

  it('is not done when the readings cannot be kept', async () => {
    const plant = new Plant();
    plant.commitError = new GatewayError('disk_full', 'full');
    await expect(plant.sync.run(PUMP, USUAL)).rejects.toMatchObject({ code: 'disk_full' });
    expect(plant.sync.lastMs(PUMP)).toBeNull();
    plant.commitError = undefined;
    expect((await plant.sync.run(PUMP, USUAL)).status).toBe('completed');
  });
});
