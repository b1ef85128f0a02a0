/** `explain=1`: where a value came from, and what of that is not known. */
import { describe, expect, it } from 'vitest';
import { DRIVERS } from '../../src/drivers/registry.ts';
import { ApiClient } from '../support/api-client.ts';
import { at, FakeServices, sensor } from '../support/fake-services.ts';

function plant(): ApiClient {
  const services = new FakeServices();
  services.addTwin({ id: 'pump', sensors: [sensor('pump', 'level'), sensor('pump', 'none')] });
  services.addSample({ source: 'plc', asset: 'pump', tag: 'level', timeMs: at('2026-01-06T10:00:00Z'), value: 1.5 });
  return new ApiClient(services);
}

describe('an explained value', () => {
  it('says of a configured tag where it stands, when it came, and what is not known', async () => {
    const client = plant();
    client.services.provenance = {
      source: { type: 'modbus', endpoint: '10.0.0.5:502' },
      origin: { address: { unit_id: 1, address: 40 }, decode: { data_type: 'int16', scale: 0.1 } },
      configRevision: '0123456789ab',
      raw: { words: { registers: '000f' }, readMs: at('2026-01-06T10:00:02Z'), sourceMs: null, serverMs: null },
      receivedMs: at('2026-01-06T10:00:01Z'),
    };
    const explanation = {
      data_source_id: 'plc',
      type: 'modbus',
      endpoint: '10.0.0.5:502',
      address: { unit_id: 1, address: 40 },
      decode: { data_type: 'int16', scale: 0.1 },
      raw: { registers: '000f' },
      read_time: '2026-01-06T10:00:02Z',
      source_time: null,
      server_time: null,
      config_revision: '0123456789ab',
      status_code: '0x00000000',
      value_time: '2026-01-06T10:00:00Z',
      sample_time: '2026-01-06T10:00:00Z',
      received_time: '2026-01-06T10:00:01Z',
      unknown: ['source_time', 'server_time'],
    };
    const twin = await client.get('/api/twins/pump?explain=1');
    expect(twin.body.data.sensors.map((one: { explain: unknown }) => one.explain)).toEqual([explanation, null]);
    const latest = await client.get('/v1/telemetry/latest?asset_id=pump&explain=1');
    expect(latest.body.data[0].explain).toEqual(explanation);
  });

  it('makes nothing up for one that came over REST', async () => {
    const { body } = await plant().get('/v1/telemetry/latest?asset_id=pump&explain=1');
    expect(body.data[0].explain).toMatchObject({
      endpoint: null,
      address: null,
      decode: null,
      received_time: null,
      raw: null,
      unknown: [
        ...['raw', 'read_time', 'source_time', 'server_time', 'config_revision'],
        ...['endpoint', 'address', 'decode', 'received_time'],
      ],
    });
  });

  it('is there only when asked for, and tells of sources only who may list them', async () => {
    const client = plant();
    expect((await client.get('/api/twins/pump')).body.data.sensors[0]).not.toHaveProperty('explain');
    expect((await client.get('/v1/telemetry/latest?asset_id=pump&explain=0')).body.data[0]).not.toHaveProperty('explain');
    const token = client.services.addToken(['read:telemetry']);
    expect((await client.get('/v1/telemetry/latest?asset_id=pump&explain=1', { token })).status).toBe(403);
    expect((await client.get('/v1/telemetry/latest?asset_id=pump&explain=yes')).status).toBe(400);
    expect((await client.get('/api/twins/pump?explain=1&at=2026-01-06')).status).toBe(422);
  });
});

describe('a tag at its device', () => {
  const described = (type: keyof typeof DRIVERS, config: object, tag: object) => {
    const { configSchema, tagSchema, describe: origin } = DRIVERS[type];
    return origin(configSchema.parse(config), tagSchema.parse({ tag_name: 't', ...tag }));
  };

  it('is described in the words of its protocol', () => {
    const modbus = { host: 'h', unit_id: 3, byte_order: 'CDAB' };
    expect(described('modbus', modbus, { register_type: 'holding', address: 7, data_type: 'float32', scale: 2 })).toEqual({
      address: { unit_id: 3, register_type: 'holding', address: 7, address_base: 0, registers: 2 },
      decode: { data_type: 'float32', byte_order: 'CDAB', scale: 2 },
    });
    expect(described('modbus', modbus, { register_type: 'coil', address: 7 })).toEqual({
      address: { unit_id: 3, register_type: 'coil', address: 7, address_base: 0 },
      decode: { data_type: 'bool' },
    });
    const opcua = { endpoint: 'opc.tcp://h:4840', security_mode: 'None', allow_insecure: true };
    expect(described('opcua', opcua, { node_id: 'ns=1;s=Double', offset: 1 })).toEqual({
      address: { node_id: 'ns=1;s=Double' },
      decode: { offset: 1 },
    });
    expect(described('mqtt', { broker_url: 'mqtt://h' }, { topic: 'a/b', asset_id: 'a', json_path: '$.n' })).toEqual({
      address: { topic: 'a/b' },
      decode: { json_path: '$.n' },
    });
    expect(described('simulator', {}, { waveform: 'constant', mean: 5 }).address).toMatchObject({ waveform: 'constant', mean: 5 });
  });
});
