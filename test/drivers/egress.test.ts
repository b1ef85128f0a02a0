/** Sources that were made over the API, aimed at where they must not go: refused, or stopped before the first packet. */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SourceCheck } from '../../src/app/source-check.ts';
import { parseCidr } from '../../src/core/cidr.ts';
import { systemClock } from '../../src/core/clock.ts';
import { isGatewayError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import { DRIVERS } from '../../src/drivers/registry.ts';
import { EgressPolicy } from '../../src/system/egress.ts';
import { DevicePolicy, FilePolicy } from '../../src/system/file-policy.ts';
import { startDecoy, watchConnections } from '../support/connections.ts';
import { startTestServer } from '../support/opcua-server.ts';

const PLANT = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'].flatMap((block) => parseCidr(block) ?? []);
const LOOPBACK = [...PLANT, ...['127.0.0.0/8', '::1'].flatMap((block) => parseCidr(block) ?? [])];
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'loopback.evil': ['127.0.0.1'],
  'loopback6.evil': ['::1'],
  'metadata.evil': ['169.254.169.254'],
  'mapped.evil': ['::ffff:127.0.0.1'],
  'nat64.evil': ['64:ff9b::7f00:1'],
  'zero.evil': ['0.0.0.0'],
  'public.evil': ['203.0.113.7', '2001:db8::7'],
  'plc.plant': ['127.0.0.1'],
};
const resolve = async (host: string) => NAMES[host] ?? [];

let folder: string;
let decoy: Awaited<ReturnType<typeof startDecoy>>;
let watched: ReturnType<typeof watchConnections>;
/** Connections that the decoy had before the test. */
let met: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-egress-'));
  decoy = await startDecoy();
  watched = watchConnections();
});
beforeEach(() => {
  met = decoy.count;
});
afterEach(() => {
  watched.stop();
  watched = watchConnections();
});
afterAll(async () => {
  watched.stop();
  await decoy.close();
  await rm(folder, { recursive: true, force: true });
});

const WAYS = {
  modbus: { type: 'modbus', config: (host: string, port: number) => ({ host: bare(host), port }) },
  udp: {
    type: 'modbus',
    config: (host: string, port: number) => ({ host: bare(host), port, transport: 'udp', timeout_ms: 200 }),
    tag: { tag_name: 'a', register_type: 'holding', address: 0, writable: false },
  },
  rtu_over_tcp: { type: 'modbus', config: (host: string, port: number) => ({ host: bare(host), port, transport: 'rtu_over_tcp' }) },
  mqtt: { type: 'mqtt', config: (host: string, port: number) => ({ broker_url: `mqtt://${host}:${port}` }) },
  mqtts: { type: 'mqtt', config: (host: string, port: number) => ({ broker_url: `mqtts://${host}:${port}` }) },
  ws: { type: 'mqtt', config: (host: string, port: number) => ({ broker_url: `ws://${host}:${port}/mqtt` }) },
  wss: { type: 'mqtt', config: (host: string, port: number) => ({ broker_url: `wss://${host}:${port}/mqtt` }) },
  opcua: {
    type: 'opcua',
    config: (host: string, port: number) => ({ endpoint: `opc.tcp://${host}:${port}`, security_mode: 'None', allow_insecure: true }),
  },
} as const;
type Way = keyof typeof WAYS;
const EVERY_WAY = Object.keys(WAYS) as Way[];

const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1');

function configOf(way: Way, host: string, port: number): unknown {
  return WAYS[way].config(host.includes(':') ? `[${host}]` : host, port);
}

/** What becomes of a source: refused when it is made, or the code of its first connect. */
async function fateOf(way: Way, config: unknown, policy: EgressPolicy): Promise<string> {
  const { type, ...more } = WAYS[way];
  const parsed = DRIVERS[type].configSchema.safeParse(config);
  if (!parsed.success) return `invalid ${parsed.error.issues[0]?.path.join('.')}`;
  const tags = 'tag' in more ? [more.tag] : type === 'mqtt' ? [{ tag_name: 'a', topic: 'a', writable: false }] : [];
  const faults = new SourceCheck({ egress: policy, files: new FilePolicy([]), devices: new DevicePolicy([]), profilesDir: folder }).faults(
    { name: 'x', type, enabled: true, config: parsed.data, tags },
    'ds-x',
  );
  if (faults.length > 0) return `refused ${faults[0]?.field}`;
  const { createDriver } = await DRIVERS[type].load();
  const context = { log: silentLog, clock: systemClock, stateDir: join(folder, type), egress: policy, report: () => undefined };
  const driver = createDriver({ sourceId: 'ds-x', config: parsed.data, tags }, context);
  const fate = await driver.connect(AbortSignal.timeout(15_000)).then(
    () => 'connected',
    (error: unknown) => (isGatewayError(error) ? error.code : String(error)),
  );
  await driver.close();
  return fate;
}

const NEVER = [
  '127.0.0.1',
  '127.1.2.3',
  '::1',
  '0.0.0.0',
  '::',
  '169.254.169.254',
  '::ffff:127.0.0.1',
  '64:ff9b::7f00:1',
  'fe80::1',
  '8.8.8.8',
];
const ODD = ['0x7f.1', '0x7f000001', '2130706433', '127.1', '017700000001'];
const NAMED = ['loopback.evil', 'loopback6.evil', 'metadata.evil', 'mapped.evil', 'nat64.evil', 'zero.evil', 'public.evil', 'unknown.evil'];
const KEY = {
  modbus: 'host',
  udp: 'host',
  rtu_over_tcp: 'host',
  mqtt: 'broker_url',
  mqtts: 'broker_url',
  ws: 'broker_url',
  wss: 'broker_url',
  opcua: 'endpoint',
} as const;

describe('a source made over the API', () => {
  it.each(EVERY_WAY.flatMap((type) => [...NEVER, ...ODD].map((host) => ({ type, host }))))(
    'over $type is refused at $host, naming the key',
    async ({ type, host }) => {
      const fate = await fateOf(type, configOf(type, host, decoy.port), new EgressPolicy({ allow: PLANT, resolve }));
      expect([`refused config.${KEY[type]}`, `invalid ${KEY[type]}`]).toContain(fate);
      expect([watched.sockets.length, decoy.count]).toEqual([0, met]);
    },
  );

  it.each(EVERY_WAY.flatMap((type) => NAMED.map((host) => ({ type, host }))))(
    'over $type finds out where $host leads and sends nothing',
    async ({ type, host }) => {
      const fate = await fateOf(type, configOf(type, host, decoy.port), new EgressPolicy({ allow: PLANT, resolve }));
      expect(fate).toBe('egress_denied');
      expect([watched.sockets.length, decoy.count]).toEqual([0, met]);
    },
  );

  it.each([
    ['modbus', { host: '10.0.0.5', port: 22 }, 'refused config.port'],
    ['modbus', { host: '10.0.0.5', port: 6_379 }, 'refused config.port'],
    ['mqtt', { broker_url: 'mqtt://10.0.0.5:25' }, 'refused config.broker_url'],
    ['opcua', configOf('opcua', 'plc.plant', 22), 'refused config.endpoint'],
    ['mqtt', { broker_url: 'mqtt://10.0.0.5:1883@127.0.0.1:1883' }, 'invalid broker_url'],
    ['mqtt', { broker_url: 'ws://127.0.0.1:80/mqtt' }, 'refused config.broker_url'],
    ['mqtt', { broker_url: 'wss://0x7f.1/mqtt' }, 'refused config.broker_url'],
    ['mqtt', { broker_url: 'mqtt://[::ffff:7f00:1]:1883' }, 'refused config.broker_url'],
    ['mqtt', { broker_url: 'unix:///run/mosquitto.sock' }, 'invalid broker_url'],
    ['mqtt', { broker_url: 'mqtt+unix:///run/mosquitto.sock' }, 'invalid broker_url'],
    ['modbus', { host: '10.0.0.5@127.0.0.1' }, 'refused config.host'],
    ['modbus', { host: '/run/docker.sock' }, 'invalid host'],
    ['modbus', { transport: 'rtu', serial: { path: '/dev/watchdog' } }, 'refused config.serial.path'],
    ['modbus', { host: 'fe80::1%lo' }, 'refused config.host'],
  ] as const)('of type %s with %j is stopped: %s', async (type, config, expected) => {
    expect(await fateOf(type, config, new EgressPolicy({ allow: PLANT, resolve }))).toBe(expected);
    expect([watched.sockets.length, decoy.count]).toEqual([0, met]);
  });

  it('does not reach the API of its own box', async () => {
    const policy = new EgressPolicy({ allow: LOOPBACK, resolve });
    policy.apiPort = decoy.port;
    expect(await fateOf('modbus', configOf('modbus', '127.0.0.1', decoy.port), policy)).toBe('refused config.port');
    expect(await fateOf('modbus', configOf('modbus', 'plc.plant', decoy.port), policy)).toBe('egress_denied');
    expect([watched.sockets.length, decoy.count]).toEqual([0, 0]);
  });

  it.each(EVERY_WAY)('over %s connects to the one address that its name was found to have', async (type) => {
    const asked: string[] = [];
    const counting = async (host: string) => {
      asked.push(host);
      return resolve(host);
    };
    await fateOf(type, configOf(type, 'plc.plant', decoy.port), new EgressPolicy({ allow: LOOPBACK, resolve: counting }));
    expect(decoy.count).toBe(met + 1);
    expect(watched.sockets.length).toBeGreaterThan(0);
    expect(asked).toEqual(['plc.plant']);
  });
});

describe('an OPC UA server that says that it is elsewhere', () => {
  it.each([
    ['None', { security_mode: 'None', allow_insecure: true }],
    ['SignAndEncrypt', {}],
  ])(
    'is talked to where it was found, with security %s',
    async (_mode, security) => {
      const server = await startTestServer({ stateDir: join(folder, 'server'), advertised: `opc.tcp://127.0.0.1:${decoy.port}` });
      try {
        const config = { endpoint: `opc.tcp://plc.plant:${server.port}`, ...security };
        const policy = new EgressPolicy({ allow: LOOPBACK, resolve });
        const first = await fateOf('opcua', config, policy);
        const store = join(folder, 'opcua');
        for (const file of first === 'connected' ? [] : await readdir(join(store, 'rejected'))) {
          await rename(join(store, 'rejected', file), join(store, 'trusted', 'certs', file));
        }
        expect(await fateOf('opcua', config, policy)).toBe('connected');
        expect(decoy.count).toBe(met);
      } finally {
        await server.close();
      }
    },
    60_000,
  );
});
