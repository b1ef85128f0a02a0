/** The egress policy: which addresses the operator's blocks open, and which nothing opens. */
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { parseCidr } from '../../src/core/cidr.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { EgressPolicy } from '../../src/system/egress.ts';

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];
const EVERYTHING = ['0.0.0.0/0', '::/0'];
const signal = new AbortController().signal;

function policy(blocks: readonly string[], names: Readonly<Record<string, readonly string[]>> = {}): EgressPolicy {
  const resolve = async (host: string) => {
    const found = names[host];
    if (!found) throw new GatewayError('not_connected', `the address of ${host} cannot be found`);
    return found;
  };
  return new EgressPolicy({ allow: blocks.flatMap((block) => parseCidr(block) ?? []), resolve });
}

describe('private networks', () => {
  it.each(['10.0.0.5', '172.16.0.1', '172.31.255.255', '192.168.1.50', 'fd12:3456::1', 'fc00::1'])('hold %s', async (address) => {
    expect(policy(PRIVATE).literalDenial(address, 502)).toBeUndefined();
    expect(await policy(PRIVATE).address(address, 502, signal)).toBe(address);
  });

  it.each(['8.8.8.8', '172.32.0.1', '172.15.255.255', '100.64.0.1', '2001:db8::1', '127.0.0.1', '::1'])('do not hold %s', (address) => {
    expect(policy(PRIVATE).literalDenial(address, 502)).toMatchObject({ part: 'host' });
  });
});

describe('what nothing opens', () => {
  it.each([
    ...['0.0.0.0', '0.1.2.3', '169.254.169.254', '169.254.0.1', '192.0.0.192', '100.100.100.200', '224.0.0.1', '255.255.255.255'],
    ...['::', '::7f00:1', '::ffff:127.0.0.1', '::ffff:10.0.0.5', '::ffff:a00:5', '64:ff9b::10.0.0.5', '64:ff9b::a00:5', '64:ff9b:1::1'],
    ...['fe80::1', 'fe80::1%lo', 'fd00::1%lo', 'fec0::1', 'ff02::1', '2002:a00:5::1', '2001:0:1::1', 'fd00:ec2::254', 'fd20:ce::254'],
    ...['127.0.0.1', '127.1.2.3', '::1'],
  ])('not even a block of everything: %s', (address) => {
    expect(policy(EVERYTHING).literalDenial(address, 502)).toMatchObject({ part: 'host' });
  });

  it.each([22, 25, 6379])('port %i', (port) => {
    expect(policy(EVERYTHING).literalDenial('10.0.0.5', port)).toMatchObject({ part: 'port' });
    expect(policy(EVERYTHING).literalDenial('plc.plant', port)).toMatchObject({ part: 'port' });
  });

  it('the API itself, at any address of this machine, while its port elsewhere is a port like any other', () => {
    const open = policy([...EVERYTHING, '127.0.0.0/8']);
    open.apiPort = 3_000;
    const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    for (const { address } of own.filter(({ address }) => !address.startsWith('fe80'))) {
      expect(open.literalDenial(address, 3_000)).toBeDefined();
    }
    expect(open.literalDenial('127.0.0.1', 3_000)).toMatchObject({ part: 'port' });
    expect(open.literalDenial('127.0.0.1', 3_001)).toBeUndefined();
    expect(open.literalDenial('203.0.113.7', 3_000)).toBeUndefined();
  });
});

describe('loopback', () => {
  it('is open where a block names it', () => {
    expect(policy(['127.0.0.0/8']).literalDenial('127.0.0.1', 502)).toBeUndefined();
    expect(policy(['127.0.0.1']).literalDenial('127.0.0.1', 502)).toBeUndefined();
    expect(policy(['127.0.0.1']).literalDenial('127.0.0.2', 502)).toBeDefined();
    expect(policy(['::1']).literalDenial('::1', 502)).toBeUndefined();
    expect(policy(['126.0.0.0/7']).literalDenial('127.0.0.1', 502)).toBeDefined();
  });
});

describe('a name', () => {
  it.each(['0x7f.1', '0x7f000001', '2130706433', '127.1', '017700000001', '10.0.0.0x5', '1.2.3.4.5', '127.0.0.1.'])(
    'that a resolver takes for an address is none: %s',
    async (host) => {
      expect(policy(EVERYTHING).literalDenial(host, 502)).toMatchObject({ part: 'host' });
      await expect(policy(EVERYTHING).address(host, 502, signal)).rejects.toMatchObject({ code: 'egress_denied' });
    },
  );

  it('is judged by its addresses, of which the first that may be reached is the one', async () => {
    const names = { 'plc.plant': ['8.8.8.8', '10.0.0.5', '10.0.0.6'], 'evil.test': ['127.0.0.1', '169.254.169.254'] };
    expect(policy(PRIVATE, names).literalDenial('plc.plant', 502)).toBeUndefined();
    expect(await policy(PRIVATE, names).address('plc.plant', 502, signal)).toBe('10.0.0.5');
    await expect(policy(PRIVATE, names).address('evil.test', 502, signal)).rejects.toMatchObject({ code: 'egress_denied' });
    await expect(policy(PRIVATE, names).address('gone.test', 502, signal)).rejects.toMatchObject({ code: 'not_connected' });
  });

  it('is asked for at each connection, so that an answer that changes is judged again', async () => {
    const answers = [['10.0.0.5'], ['127.0.0.1']];
    const allow = PRIVATE.flatMap((block) => parseCidr(block) ?? []);
    const rebinding = new EgressPolicy({ allow, resolve: async () => answers.shift() ?? [] });
    expect(await rebinding.address('rebind.test', 502, signal)).toBe('10.0.0.5');
    await expect(rebinding.address('rebind.test', 502, signal)).rejects.toMatchObject({ code: 'egress_denied' });
  });

  it('of this machine is loopback', async () => {
    const allow = PRIVATE.flatMap((block) => parseCidr(block) ?? []);
    await expect(new EgressPolicy({ allow }).address('localhost', 502, signal)).rejects.toMatchObject({ code: 'egress_denied' });
  });

  it('says nothing of where it leads', async () => {
    const names = { 'evil.test': ['169.254.169.254'], 'other.test': ['8.8.8.8'] };
    const texts = await Promise.all(
      Object.keys(names).map(async (host) => {
        const error: unknown = await policy(PRIVATE, names)
          .address(host, 502, signal)
          .catch((thrown: unknown) => thrown);
        return (error as Error).message.replace(host, '');
      }),
    );
    expect(new Set(texts).size).toBe(1);
    expect(texts[0]).not.toMatch(/169\.254|8\.8/);
  });
});

describe('a block', () => {
  it.each([
    ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, family: 'ipv4' }],
    ['10.0.0.5', { address: '10.0.0.5', prefix: 32, family: 'ipv4' }],
    ['fc00::/7', { address: 'fc00::', prefix: 7, family: 'ipv6' }],
    ['::1', { address: '::1', prefix: 128, family: 'ipv6' }],
  ])('is read from %s', (text, expected) => {
    expect(parseCidr(text)).toEqual(expected);
  });

  it.each([
    '',
    '10.0.0.0/33',
    'fc00::/129',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8 ',
    'plant',
    'fe80::1%lo/64',
    '10.0.0.0/-1',
    '1.2.3.4/8/9',
  ])('is not read from %s', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });
});
