/** What a Modbus source may say, and where the complaint points when it says something else. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { configSchema, devices, endpoint, tagSchema, target } from '../../../src/drivers/modbus/options.ts';

const complaints = (schema: z.ZodType, input: unknown) =>
  schema.safeParse(input).error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];
const tag = (more: Record<string, unknown>) => ({ tag_name: 't', register_type: 'holding', address: 0, ...more });

describe('configSchema', () => {
  it('needs only a host', () => {
    expect(configSchema.parse({ host: '10.0.0.5' })).toEqual({
      host: '10.0.0.5',
      port: 502,
      unit_id: 1,
      polling_interval_ms: 1_000,
      timeout_ms: 2_000,
      transport: 'tcp',
      byte_order: 'ABCD',
      max_gap_registers: 16,
      max_registers_per_read: 125,
      max_bits_per_read: 2_000,
      address_base: 0,
    });
  });

  it.each(['10.0.0.5:502', 'tcp://plc', 'plc/1', '', 'two names', '[::1]'])('refuses the host "%s"', (host) => {
    expect(complaints(configSchema, { host })).toEqual([expect.stringMatching(/^host: must be a host name/)]);
  });

  it('says which transports there are', () => {
    expect(complaints(configSchema, { host: 'plc', transport: 'ascii' })).toEqual([expect.stringMatching(/^transport: .*rtu_over_tcp/)]);
  });

  it('needs only a path for a serial line', () => {
    const { serial, transport } = configSchema.parse({ transport: 'rtu', serial: { path: '/dev/ttyUSB0' } });
    expect([transport, serial]).toEqual(['rtu', { path: '/dev/ttyUSB0', baud_rate: 9_600, parity: 'none', stop_bits: 1 }]);
  });

  const serial = { path: '/dev/ttyUSB0' };
  it.each([
    [{}, 'host: is required by transport tcp'],
    [{ transport: 'udp' }, 'host: is required by transport udp'],
    [{ transport: 'rtu_over_tcp' }, 'host: is required by transport rtu_over_tcp'],
    [{ transport: 'rtu' }, 'serial: is required by transport rtu'],
    [{ transport: 'rtu', serial, host: 'plc' }, 'host: is not of transport rtu, which names a line under serial'],
    [{ transport: 'tcp', serial, host: 'plc' }, 'serial: is only of transport rtu, not of tcp'],
    [{ transport: 'rtu', serial, unit_id: 0 }, 'unit_id: is the address of all devices of a line, so none would answer'],
    [{ transport: 'rtu_over_tcp', host: 'plc', unit_id: 0 }, 'unit_id: is the address of all devices of a line, so none would answer'],
    [{ transport: 'rtu', serial: { path: 'ttyUSB0' } }, 'serial.path: must be an absolute path'],
  ])('refuses %j, naming the field', (input, message) => {
    expect(complaints(configSchema, input)).toEqual([message]);
  });

  it('refuses keys it does not know', () => {
    expect(complaints(configSchema, { host: 'plc', unit: 1 })).toEqual([': Unrecognized key: "unit"']);
  });
});

describe('endpoint', () => {
  it('is host and port, an IPv6 address in brackets', () => {
    expect(endpoint({ host: 'plc-1.line', port: 1502 })).toBe('plc-1.line:1502');
    expect(endpoint({ host: '::1' })).toBe('[::1]:502');
  });

  it('is the path of a serial line, which leads to no address', () => {
    const config = configSchema.parse({ transport: 'rtu', serial: { path: '/dev/ttyUSB0' } });
    expect([endpoint(config), target(config)]).toEqual(['/dev/ttyUSB0', undefined]);
    expect(devices(config)).toEqual([{ key: 'serial.path', file: '/dev/ttyUSB0', settings: '9600 baud, parity none, 1 stop bit' }]);
  });
});

describe('tagSchema', () => {
  it('stays an object schema, whose keys can be listed', () => {
    expect(tagSchema).toBeInstanceOf(z.ZodObject);
    expect(Object.keys(tagSchema.shape)).toEqual(expect.arrayContaining(['tag_name', 'register_type', 'bit']));
  });

  it.each([
    [tag({ bit: 3 }), 'bit: needs data_type: bool'],
    [tag({ bit: 3, data_type: 'int16' }), 'bit: needs data_type: bool'],
    [tag({ register_type: 'coil', data_type: 'uint16' }), 'data_type: a coil is always bool'],
    [tag({ register_type: 'coil', byte_order: 'ABCD' }), 'byte_order: a coil has a single bit and no byte order'],
    [
      tag({ register_type: 'discrete_input', bit: 1, data_type: 'bool' }),
      'bit: a discrete_input is a single bit already; bit is for registers',
    ],
  ])('refuses %j', (input, message) => {
    expect(complaints(tagSchema, input)).toEqual([message]);
  });

  it.each([
    tag({ data_type: 'bool', bit: 15 }),
    tag({ register_type: 'coil', data_type: 'bool' }),
    tag({ data_type: 'float32', byte_order: 'DCBA' }),
  ])('takes %j', (input) => {
    expect(complaints(tagSchema, input)).toEqual([]);
  });
});
