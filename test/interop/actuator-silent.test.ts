/** Actuators over HTTP at a Modbus device that answers every poll and swallows writes alone: nothing is left to chance. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWriteDevice, type WriteDevice } from '../drivers/modbus/write-server.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';

const WRITE_COIL = 5;
const ILLEGAL_VALUE = 3;
const POWER = 1;

describe('the twin of a device that is deaf to writes', () => {
  let device: WriteDevice;
  let daemon: TestDaemon;

  beforeAll(async () => {
    device = await startWriteDevice();
    const tag = { tag_name: 'power', asset_id: 'press-1', register_type: 'coil', address: POWER, writable: true };
    const config = { host: '127.0.0.1', port: device.port, polling_interval_ms: 200, timeout_ms: 500 };
    daemon = await TestDaemon.start({ sources: [{ id: 'ds-press', name: 'Press', type: 'modbus', config, tags: [tag] }] });
    await isRead();
    const power = { id: 'power', name: 'Power', type: 'binary' };
    expect((await daemon.post('/api/twins/press-1/actuators', power)).status).toBe(201);
  });

  afterAll(async () => {
    await daemon?.dispose();
    await device?.close();
  });

  const isRead = () =>
    eventually(
      async () => {
        const { body } = await daemon.get('/v1/telemetry/latest?asset_id=press-1&tags=power');
        return body.data[0]?.quality === 'good' ? true : undefined;
      },
      { what: 'the coil is read', timeoutMs: 20_000 },
    );
  const set = async (state: boolean) => {
    const { status, body } = await daemon.patch('/api/twins/press-1/actuators/power', { current_state: state });
    return status === 200 ? [status, body.data.current_state] : [status, body.error.code, body.error.details[0].message];
  };

  it('is 504 where no answer comes, and the coil has not moved', async () => {
    device.deaf.add(WRITE_COIL);
    expect(await set(true)).toEqual([504, 'ACTUATOR_WRITE_FAILED', 'timeout']);
    expect(device.coils[POWER]).toBe(0);
    expect(device.requests).toContain(`${WRITE_COIL} ${POWER}`);
    device.deaf.clear();
    await isRead();
  });

  it('is 502 where the device refuses', async () => {
    device.refuses.set(WRITE_COIL, ILLEGAL_VALUE);
    expect(await set(true)).toEqual([502, 'ACTUATOR_WRITE_FAILED', 'write_refused']);
    device.refuses.clear();
  });

  it('takes a value again', async () => {
    expect(await set(true)).toEqual([200, true]);
    expect(device.coils[POWER]).toBe(1);
  });
});
