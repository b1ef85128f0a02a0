/** The built daemon is asked over HTTP to connect to itself, to its neighbours and to cloud metadata: a listener on every loopback address hears nothing. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDecoy } from '../support/connections.ts';
import { type Answer, TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';

/** The one loopback address that the operator opens; the others stay shut. */
const OPEN = '127.0.0.2';
const PLANT = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];

const LOOPBACK = ['127.0.0.1', '127.0.1.1', '127.1.2.3', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1', '::1%lo'];
const THIS_HOST = ['0.0.0.0', '0.1.2.3', '::'];
const IN_IPV6 = ['::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '::ffff:10.0.0.5', '2002:7f00:1::', '2001:0:7f00:1::'];
const BY_NAT64 = ['64:ff9b::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::7f00:1'];
const DECIMAL = ['2130706433', '127.1', '127.0.1', '127.0.0.1.', '0', '1.2.3.4.5'];
const OCTAL_AND_HEX = ['017700000001', '0177.0.0.1', '0177.1', '127.0.0.01', '0x7f.1', '0x7f000001', '0X7F.0.0.1', '127.0.0.0x1'];
const METADATA = ['169.254.169.254', '2852039166', '0xa9fea9fe', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254'];
const ELSEWHERE = ['169.254.0.1', 'fe80::1', 'fe80::1%lo', '224.0.0.1', 'ff02::1', '255.255.255.255', '8.8.8.8', '2001:db8::1'];
const REFUSED = [
  ...[...LOOPBACK, ...THIS_HOST, ...IN_IPV6, ...BY_NAT64, ...DECIMAL, ...OCTAL_AND_HEX, ...METADATA, ...ELSEWHERE],
  ...['10.0.0.5@127.0.0.1', '127.0.0.1#10.0.0.5', '127.0.0.1/10.0.0.5'],
];

/** That the resolver says, or may say, to be the box itself: its own names, and digits that it takes for digits. */
const NAMES = ['localhost', 'LOCALHOST', 'localhost.', 'ip6-localhost', 'a.localhost', '①②⑦.⓪.⓪.①', '127。0。0。1'];

type Decoy = Awaited<ReturnType<typeof startDecoy>>;

describe('a daemon that is asked to connect where it must not', () => {
  let decoy: Decoy;
  let redirecting: Server;
  let location = '';
  let redirects = 0;
  let daemon: TestDaemon;

  beforeAll(async () => {
    decoy = await startDecoy('::').catch(() => startDecoy('0.0.0.0')); // a machine without IPv6
    redirecting = createServer((request, response) => {
      redirects++;
      const [, status = '302'] = request.url?.split('/') ?? [];
      response.writeHead(Number(status), { Location: location }).end();
    });
    redirecting.listen(0, OPEN);
    await once(redirecting, 'listening');
    location = `http://127.0.0.1:${decoy.port}/`;
    const hook = (status: number) => ({ type: 'webhook', url: `${receiver('http')}/${status}` });
    const channels = {
      ...Object.fromEntries([301, 302, 303, 307, 308].map((status) => [`hook-${status}`, hook(status)])),
      slack: { type: 'slack', url: `${receiver('http')}/307` },
    };
    daemon = await TestDaemon.start({ security: { egress: { allow: [...PLANT, OPEN] } }, notifications: { channels } });
  });

  afterAll(async () => {
    await daemon?.dispose();
    redirecting?.close();
    await decoy?.close();
  });

  const receiver = (scheme: string) => `${scheme}://${OPEN}:${(redirecting.address() as AddressInfo).port}`;

  /** The same target for each protocol; an address of IPv6 stands in brackets in a URL. */
  function sourcesAt(host: string, port: number) {
    const inUrl = /^[0-9a-f:.]*:[0-9a-f:.%lo]*$/i.test(host) ? `[${host}]` : host;
    const open = { security_mode: 'None', allow_insecure: true };
    const tags = [{ tag_name: 'a', asset_id: 'a', topic: 'a' }];
    return [
      { name: host, type: 'modbus', config: { host, port } },
      { name: host, type: 'mqtt', config: { broker_url: `mqtt://${inUrl}:${port}` }, tags },
      { name: host, type: 'mqtt', config: { broker_url: `ws://${inUrl}:${port}/mqtt` }, tags },
      { name: host, type: 'opcua', config: { endpoint: `opc.tcp://${inUrl}:${port}`, ...open } },
    ];
  }

  function expectRefused(answer: Answer, what: unknown): void {
    expect([answer.status, answer.body.error?.code], JSON.stringify(what)).toEqual([400, 'validation_error']);
    expect(answer.body.error.details[0].field).toMatch(/^config\.(host|port|broker_url|endpoint)$/);
  }

  it.each(REFUSED)('does not take %s for the address of a source, nor tries it, nor puts it in place of another', async (host) => {
    const made = await daemon.post('/v1/data-sources', { name: 'off', type: 'modbus', enabled: false, config: { host: '10.0.0.5' } });
    expect(made.status).toBe(201);
    const path = `/v1/data-sources/${made.body.data.id}`;
    for (const source of sourcesAt(host, decoy.port)) {
      expectRefused(await daemon.post('/v1/data-sources', source), source);
      expectRefused(await daemon.post('/v1/data-sources/test', source), source);
      if (source.type === 'modbus') expectRefused(await daemon.put(path, source), source);
    }
    expect((await daemon.delete(path)).status).toBe(204);
    expect(decoy.count).toBe(0);
  });

  it('does not take ports where no plant has a source, nor its own at an address that is open', async () => {
    const apiPort = Number(new URL(daemon.url).port);
    const targets = [...[22, 25, 6_379].map((port) => ['10.0.0.5', port] as const), [OPEN, apiPort] as const];
    for (const [host, port] of targets) {
      for (const source of sourcesAt(host, port)) {
        expectRefused(await daemon.post('/v1/data-sources', source), source);
        expectRefused(await daemon.post('/v1/data-sources/test', source), source);
      }
    }
  });

  it.each(NAMES)('finds out where the name %s leads, and sends nothing there', async (host) => {
    for (const source of sourcesAt(host, decoy.port)) {
      const tested = await daemon.post('/v1/data-sources/test', source);
      const made = await daemon.post('/v1/data-sources', source);
      expect(made.status).toBe(tested.status === 200 ? 201 : 400);
      if (tested.status !== 200) {
        expectRefused(tested, source); // the parser of URLs has made an address of it
        continue;
      }
      expect(tested.body.data).toMatchObject({ success: false, sample: null });
      const path = `/v1/data-sources/${made.body.data.id}`;
      const tried = await eventually(
        async () => {
          const { data } = (await daemon.get(path)).body;
          return data.state === 'faulted' || data.state === 'back_off' ? data : undefined;
        },
        { what: `the source at ${host} is given up`, timeoutMs: 20_000 },
      );
      expect(tried.reason).toMatch(/^egress_denied$|cannot be found/); // whether this machine knows the name is its own affair
      expect((await daemon.delete(path)).status).toBe(204);
    }
    expect(decoy.count).toBe(0);
  });

  it('says of the name localhost that it may not go there', async () => {
    for (const source of sourcesAt('localhost', decoy.port)) {
      const { body } = await daemon.post('/v1/data-sources/test', source);
      expect(body.data.message).toContain('may reach');
    }
  });

  it.each(['hook-301', 'hook-302', 'hook-303', 'hook-307', 'hook-308', 'slack'])(
    'sends a test over the channel %s where the configuration says, and does not follow the receiver elsewhere',
    async (name) => {
      const before = redirects;
      const path = `/v1/notification-channels/${name}/test`;
      expect((await daemon.post(path, { url: location })).status).toBe(400);
      const { status, body } = await daemon.post(path, undefined);
      expect(status).toBe(200);
      expect(body.data).toMatchObject({ status: 'failed', code: 'delivery_refused' });
      expect(redirects).toBe(before + 1);
      expect(decoy.count).toBe(0);
    },
  );

  it('does not follow a broker over WebSocket elsewhere', async () => {
    const before = redirects;
    const source = { name: 'ws', type: 'mqtt', config: { broker_url: `${receiver('ws')}/302` }, tags: [{ topic: 'plants/{asset}/{tag}' }] };
    const { body } = await daemon.post('/v1/data-sources/test', source);
    expect(body.data).toMatchObject({ success: false });
    expect(redirects).toBe(before + 1);
    expect(decoy.count).toBe(0);
  });

  it('is heard where it may go', async () => {
    for (const [index, source] of sourcesAt(OPEN, decoy.port).entries()) {
      expect((await daemon.post('/v1/data-sources/test', source)).status).toBe(200);
      expect(decoy.count, source.type).toBeGreaterThan(index);
    }
  });
});
