/** What the device refuses is tried again after a minute, then ever less often; what comes of one tick has one time. */
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import { GOOD } from '../../../src/core/status.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ModbusLink } from '../../../src/drivers/modbus/link.ts';
import { configSchema, tagSchema } from '../../../src/drivers/modbus/options.ts';
import { pointsOf } from '../../../src/drivers/modbus/point.ts';
import { PollGroup } from '../../../src/drivers/modbus/poll-group.ts';
import { transportOf } from '../../../src/drivers/modbus/transport.ts';
import { recordingEmit } from '../../support/recording-emit.ts';
import { startDevice } from './harness.ts';

const MINUTE_MS = 60_000;
const never = new AbortController().signal;

async function groupOf({ refused = new Map<number, number>(), addresses = [0, 1] } = {}) {
  const device = await startDevice({ registers: Buffer.alloc(400), coils: [], refused });
  let monotonicMs = 0;
  let nowMs = 0;
  let answerMs = 0;
  const now = () => {
    nowMs += answerMs;
    return nowMs as UnixMs;
  };
  const clock: Clock = { ...systemClock, monotonicMs: () => monotonicMs, now };
  const link = new ModbusLink(transportOf(configSchema.parse({ host: '127.0.0.1', port: device.port }), { clock }));
  await link.open(never);
  const recording = recordingEmit();
  const tags = addresses.map((address) => tagSchema.parse({ tag_name: `r${address}`, register_type: 'holding', address }));
  const points = pointsOf({ sourceId: 'ds', config: configSchema.parse({ host: 'plc' }), tags }).map((point) => {
    return {
      ...point,
      series: recording.emit.series(point.emitTag) as SeriesId,
      status: GOOD,
      failure: undefined,
      last: undefined,
      left: false,
    };
  });
  const limits = { maxGapRegisters: 16, maxRegisters: 125, maxBits: 2_000 };
  const group = new PollGroup(1_000, points, { link, limits, emit: recording.emit, clock });
  let seen = 0;
  return {
    recording,
    /** So much time passes from answer to answer. */
    answersEvery(ms: number): void {
      answerMs = ms;
    },
    /** Polls at a time and gives the requests it took. */
    async pollAt(atMs: number): Promise<readonly string[]> {
      monotonicMs = atMs;
      await group.poll(never);
      const requests = device.requests.slice(seen);
      seen = device.requests.length;
      return requests;
    },
    async close() {
      link.close();
      await device.close();
    },
  };
}

describe('a refused register', () => {
  const WHOLE = ['holding 0+2', 'holding 0+1', 'holding 1+1'];

  it('is asked for after one minute, two more, four more', async () => {
    const group = await groupOf({ refused: new Map([[1, 2]]) });
    expect(await group.pollAt(0)).toEqual(WHOLE);
    expect(await group.pollAt(MINUTE_MS - 1)).toEqual(['holding 0+1']);
    expect(await group.pollAt(MINUTE_MS)).toEqual(WHOLE);
    expect(await group.pollAt(3 * MINUTE_MS - 1)).toEqual(['holding 0+1']);
    expect(await group.pollAt(3 * MINUTE_MS)).toEqual(WHOLE);
    expect(await group.pollAt(7 * MINUTE_MS)).toEqual(WHOLE);
    for (let hour = 1; hour < 10; hour++) await group.pollAt(hour * 60 * MINUTE_MS);
    await group.pollAt(20 * 60 * MINUTE_MS);
    expect(await group.pollAt(21 * 60 * MINUTE_MS - 1)).toEqual(['holding 0+1']);
    expect(await group.pollAt(21 * 60 * MINUTE_MS)).toEqual(WHOLE);
    expect(group.recording.readings.filter(({ tag }) => tag === 'r1')).toHaveLength(1);
    await group.close();
  });

  it('is read with the others again once the device has it', async () => {
    const refused = new Map([[1, 2]]);
    const group = await groupOf({ refused });
    await group.pollAt(0);
    refused.clear();
    expect(await group.pollAt(MINUTE_MS)).toEqual(['holding 0+2']);
    expect(group.recording.readings.at(-1)).toMatchObject({ tag: 'r1', value: 0, status: GOOD });
    expect(await group.pollAt(MINUTE_MS + 1_000)).toEqual(['holding 0+2']);
    refused.set(1, 2);
    await group.pollAt(MINUTE_MS + 2_000);
    expect(await group.pollAt(2 * MINUTE_MS + 2_000)).toEqual(WHOLE);
    await group.close();
  });
});

describe('the answers of a tick', () => {
  it('have one time while they come within a tenth of a second, and the next one has a later time', async () => {
    const group = await groupOf({ addresses: [0, 100, 150, 199] });
    group.answersEvery(50);
    await group.pollAt(0);
    expect(group.recording.readings.map(({ timeMs }) => timeMs)).toEqual([50, 50, 50, 200]);
    await group.pollAt(1_000);
    expect(group.recording.readings.map(({ timeMs }) => timeMs).slice(4)).toEqual([250, 250, 250, 400]);
    await group.close();
  });
});
