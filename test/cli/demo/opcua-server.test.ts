/** The demo's robot cell, read by the driver as a person's configuration would. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DEMO_OPCUA_TAGS } from '../../../src/cli/demo/opcua-cell.ts';
import { startOpcuaServer } from '../../../src/cli/demo/opcua-server.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import { createDriver } from '../../../src/drivers/opcua/driver.ts';
import { configSchema, tagSchema } from '../../../src/drivers/opcua/options.ts';
import { recordingEmit } from '../../support/recording-emit.ts';

it('serves every tag it lists, on loopback, and they move', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'twinbox-cell-'));
  const server = await startOpcuaServer({ port: 0, stateDir: join(folder, 'server') });
  expect(server.endpointUrl).toMatch(/^opc\.tcp:\/\/127\.0\.0\.1:\d+$/);
  const stop = new AbortController();
  const tags = DEMO_OPCUA_TAGS.map((tag) => tagSchema.parse(tag));
  const config = configSchema.parse({
    endpoint: server.endpointUrl,
    security_mode: 'None',
    allow_insecure: true,
    subscription: { publishing_interval_ms: 100 },
  });
  const driver = createDriver(
    { sourceId: 'cell', config, tags },
    { log: silentLog, clock: systemClock, stateDir: join(folder, 'client'), report: () => undefined },
  );
  const recording = recordingEmit();
  await driver.connect(stop.signal);
  const run = driver.run(recording.emit, stop.signal);
  const torque = () => new Set(recording.readings.filter((it) => it.tag === 'torque').map((it) => it.value)).size;
  for (const endMs = systemClock.monotonicMs() + 10_000; torque() < 4 && systemClock.monotonicMs() < endMs; ) await systemClock.sleep(50);
  stop.abort();
  await run;
  await driver.close();
  await server.close();
  await rm(folder, { recursive: true, force: true });
  expect(torque()).toBeGreaterThanOrEqual(4);
  expect(new Set(recording.readings.map((it) => it.tag))).toEqual(new Set(tags.map((tag) => tag.tag_name)));
  expect(recording.readings.filter((it) => it.value === null || it.status !== 0 || it.timeMs === undefined)).toEqual([]);
}, 60_000);

it('says where it cannot listen', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'twinbox-cell-'));
  const server = await startOpcuaServer({ port: 0, stateDir: folder });
  const port = Number(new URL(server.endpointUrl.replace('opc.tcp', 'http')).port);
  await expect(startOpcuaServer({ port, stateDir: folder })).rejects.toMatchObject({
    code: 'listen_failed',
    message: expect.stringContaining(`:${port}`),
  });
  await server.close();
  await rm(folder, { recursive: true, force: true });
}, 60_000);
