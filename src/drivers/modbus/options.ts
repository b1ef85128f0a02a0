/** What a Modbus source and its tags may say; the names are the API's. */
import { z } from 'zod';
import { type NamedDevice, present, type TagOrigin, type Target, tagFields } from '../schema.ts';

/** Where the most significant byte A to the least significant D of a 32-bit value lie on the wire. */
export const BYTE_ORDERS = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const;
export type ByteOrder = (typeof BYTE_ORDERS)[number];

const BYTE_ORDER_HELP =
  'ABCD: most significant register and byte first; CDAB: least significant register first; ' +
  'BADC: bytes swapped in each register; DCBA: least significant byte first. ' +
  '64-bit values follow the same rule over four registers; 16-bit ones swap their bytes with BADC and DCBA';

export const REGISTER_TYPES = ['coil', 'discrete_input', 'input', 'holding'] as const;
export type RegisterType = (typeof REGISTER_TYPES)[number];

/** Data types and the registers each takes. */
export const REGISTERS_OF = {
  bool: 1,
  int16: 1,
  uint16: 1,
  float16: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
} as const;
export type DataType = keyof typeof REGISTERS_OF;
const DATA_TYPES = Object.keys(REGISTERS_OF) as DataType[];

/** How requests travel. */
const TRANSPORTS = ['tcp', 'udp', 'rtu_over_tcp', 'rtu'] as const;

const serialSchema = z.strictObject({
  path: z
    .string()
    .max(255)
    .startsWith('/', 'must be an absolute path')
    .describe('the device, such as /dev/ttyUSB0; one of /dev/serial/by-id stays the same when others are plugged in'),
  baud_rate: z.int().min(300).max(4_000_000).default(9_600).describe('bits a second'),
  parity: z.enum(['none', 'even', 'odd']).default('none').describe('as the device is set'),
  stop_bits: z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe('as the device is set; data bits are always 8'),
});
export type SerialSettings = z.output<typeof serialSchema>;

/** A name or an address: no scheme, no path, and no port (one colon; two or more are an IPv6 address). */
const HOST_PATTERN = /^(?:[^\s/:[\]]+|[^\s/:[\]]*(?::[^\s/:[\]]*){2,})$/;

const configFields = z.strictObject({
  host: z
    .string()
    .max(253)
    .regex(HOST_PATTERN, 'must be a host name or IP address alone; the port has its own key')
    .optional()
    .describe('host name or IP address of the device or gateway; needed by every transport but rtu'),
  serial: serialSchema.optional().describe('the line of transport rtu; sources of one line name the same settings'),
  port: z.int().min(1).max(65_535).default(502).describe('TCP or UDP port'),
  unit_id: z.int().min(0).max(255).default(1).describe('unit (slave) id behind the address'),
  polling_interval_ms: z.int().min(100).max(3_600_000).default(1_000).describe('how often tags are read that name no interval'),
  timeout_ms: z.int().min(50).max(60_000).default(2_000).describe('how long to wait for a connection and for each answer'),
  transport: z
    .enum(TRANSPORTS)
    .default('tcp')
    .describe(
      'how requests travel: tcp is Modbus TCP, udp the same frames in datagrams, rtu_over_tcp serial frames through a gateway that does not translate them, rtu a serial line of this machine',
    ),
  byte_order: z.enum(BYTE_ORDERS).default('ABCD').describe(`order of all tags that name none. ${BYTE_ORDER_HELP}`),
  max_gap_registers: z
    .int()
    .min(0)
    .max(125)
    .default(16)
    .describe('unwanted registers, or 16 times as many bits, read along rather than asking twice'),
  max_registers_per_read: z.int().min(4).max(125).default(125).describe('most registers the device gives in one answer'),
  max_bits_per_read: z.int().min(1).max(2_000).default(2_000).describe('most coils or discrete inputs the device gives in one answer'),
  address_base: z
    .union([z.literal(0), z.literal(1)])
    .default(0)
    .describe('what the device manual calls the first register: 0 as on the wire, or 1'),
});

export const configSchema = configFields.superRefine(({ host, serial, transport, unit_id }, context) => {
  const complain = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
  const isSerial = transport === 'rtu';
  if (isSerial && !serial) complain('serial', 'is required by transport rtu');
  if (isSerial && host !== undefined) complain('host', 'is not of transport rtu, which names a line under serial');
  if (!isSerial && host === undefined) complain('host', `is required by transport ${transport}`);
  if (!isSerial && serial) complain('serial', `is only of transport rtu, not of ${transport}`);
  if (unit_id === 0 && (isSerial || transport === 'rtu_over_tcp'))
    complain('unit_id', 'is the address of all devices of a line, so none would answer');
});

export const tagSchema = z
  .strictObject({
    ...tagFields,
    register_type: z.enum(REGISTER_TYPES).describe('table of the device that holds the value'),
    address: z.int().min(0).max(65_535).describe('first register or bit, counted from address_base'),
    data_type: z.enum(DATA_TYPES).optional().describe('default: bool for coils and discrete inputs, uint16 for registers'),
    byte_order: z.enum(BYTE_ORDERS).optional().describe(`default: that of the source. ${BYTE_ORDER_HELP}`),
    bit: z
      .int()
      .min(0)
      .max(15)
      .optional()
      .describe('bit of the register that a bool reads, 0 the least significant; without it any non-zero is true'),
  })
  .superRefine((tag, context) => {
    const complain = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (tag.writable && (tag.register_type === 'input' || tag.register_type === 'discrete_input')) {
      complain('writable', `no Modbus function writes a ${tag.register_type === 'input' ? 'register of type input' : tag.register_type}`);
    }
    if (tag.bit !== undefined && tag.data_type !== 'bool') complain('bit', 'needs data_type: bool');
    if (tag.register_type !== 'coil' && tag.register_type !== 'discrete_input') return;
    if (tag.data_type !== undefined && tag.data_type !== 'bool') complain('data_type', `a ${tag.register_type} is always bool`);
    if (tag.byte_order !== undefined) complain('byte_order', `a ${tag.register_type} has a single bit and no byte order`);
    if (tag.bit !== undefined) complain('bit', `a ${tag.register_type} is a single bit already; bit is for registers`);
  });

export type ModbusConfig = z.output<typeof configSchema>;
export type ModbusTag = z.output<typeof tagSchema>;
export type ModbusTagInput = z.input<typeof tagSchema>;

/** `host:port` of a valid config, an IPv6 address in brackets; of a serial line its path. */
export function endpoint(config: unknown): string {
  const { host = '', port, serial } = configSchema.parse(config);
  if (serial) return serial.path;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where the connection of a valid config goes; a serial line leads nowhere. */
export function target(config: unknown): Target | undefined {
  const { host, port } = config as ModbusConfig;
  return host === undefined ? undefined : { key: 'host', host, port, place: endpoint(config) };
}

/** The serial device of a valid config. */
export function devices(config: unknown): readonly NamedDevice[] {
  const { serial } = config as ModbusConfig;
  return serial ? [{ key: 'serial.path', file: serial.path, settings: settingsOf(serial) }] : [];
}

/** As messages name them: `9600 baud, parity none, 1 stop bit`. */
export function settingsOf({ baud_rate, parity, stop_bits }: SerialSettings): string {
  return `${baud_rate} baud, parity ${parity}, ${stop_bits} stop ${stop_bits === 1 ? 'bit' : 'bits'}`;
}

/** Of a valid config and tag. */
export function describe(config: unknown, tag: unknown): TagOrigin {
  const { unit_id, address_base, byte_order: usual } = config as ModbusConfig;
  const { register_type, address, data_type, byte_order = usual, bit, scale, offset } = tag as ModbusTag;
  if (register_type === 'coil' || register_type === 'discrete_input') {
    return { address: { unit_id, register_type, address, address_base }, decode: { data_type: 'bool' } };
  }
  const type = data_type ?? 'uint16';
  return {
    address: { unit_id, register_type, address, address_base, registers: REGISTERS_OF[type] },
    decode: present({ data_type: type, byte_order, bit, scale, offset }),
  };
}
