/** Where sources that were made over the API may connect to: the operator's blocks, less what no source may ever reach. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Cidr, parseCidr } from '../core/cidr.ts';
import { GatewayError, messageOf } from '../core/errors.ts';

/** Secure shell, mail and Redis: a plant has no source there, and their text protocols can be spoken to by accident or by design. */
const DENIED_PORTS: readonly number[] = [22, 25, 6_379];

/** IANA's special registries: this network, link-local, cloud metadata, multicast, reserved; and every block that stands for IPv4 addresses in IPv6. */
const DENIED = blocksOf([
  ...['0.0.0.0/8', '169.254.0.0/16', '192.0.0.192', '100.100.100.200', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/96', '::ffff:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
  ...['fd00:ec2::254', 'fd20:ce::254'], // metadata of AWS and Google, within the blocks that plants use
]);

const LOOPBACK = blocksOf(['127.0.0.0/8', '::1']);

/** Written so that resolvers take it for an IPv4 address, though it is none: 0x7f.1, 2130706433, 127.1. (URL Standard, "ends in a number") */
const NUMERIC_HOST = /(?:^|\.)(?:\d+|0[xX][0-9A-Fa-f]*)\.?$/;

/** One text for all addresses, so that answers do not tell what is where. */
const DENIED_ADDRESS = 'is not an address that sources made over the API may reach; see security.egress.allow';
const DENIED_PORT = 'is not a port that sources made over the API may reach';

export interface EgressOptions {
  readonly allow: readonly Cidr[];
  /** Replaced by tests. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** What is wrong with a target. */
export interface EgressDenial {
  readonly part: 'host' | 'port';
  readonly message: string;
}

export class EgressPolicy {
  /** Of the API; a source must not call it at any of this machine's addresses. */
  apiPort: number | undefined;
  #allowed: Blocks;
  readonly #resolve: (host: string) => Promise<readonly string[]>;

  constructor({ allow, resolve = resolveHost }: EgressOptions) {
    this.#allowed = new Blocks(allow);
    this.#resolve = resolve;
  }

  /** For connections from now on. */
  allow(blocks: readonly Cidr[]): void {
    this.#allowed = new Blocks(blocks);
  }

  /** What can be told without asking a resolver; undefined for a name, which is judged when it is connected to. */
  literalDenial(host: string, port: number): EgressDenial | undefined {
    if (DENIED_PORTS.includes(port)) return { part: 'port', message: DENIED_PORT };
    if (isIP(host) === 0) return NUMERIC_HOST.test(host) ? { part: 'host', message: 'must be an address as usual, or a name' } : undefined;
    return this.#denial(host, port);
  }

  /**
   * The one address to connect to, so that no second resolution can lead elsewhere. Rejects `egress_denied` when there is
   * none that may be reached, and `not_connected` when the name is not known.
   */
  async address(host: string, port: number, signal: AbortSignal): Promise<string> {
    const denial = this.literalDenial(host, port);
    if (denial) throw denied(`${host}:${port}`, denial);
    if (isIP(host) !== 0) return host;
    const found = await this.#resolve(host);
    signal.throwIfAborted();
    const address = found.find((each) => this.#denial(each, port) === undefined);
    if (address === undefined) throw denied(`${host}:${port}`, { part: 'host', message: DENIED_ADDRESS });
    return address;
  }

  /** `address` is an IP address. */
  #denial(address: string, port: number): EgressDenial | undefined {
    if (DENIED_PORTS.includes(port)) return { part: 'port', message: DENIED_PORT };
    const reachable = LOOPBACK.has(address) ? this.#allowed.loopback.has(address) : !DENIED.has(address) && this.#allowed.all.has(address);
    if (!reachable || address.includes('%')) return { part: 'host', message: DENIED_ADDRESS };
    return port === this.apiPort && isOwn(address) ? { part: 'port', message: DENIED_PORT } : undefined;
  }
}

/** The operator's blocks. Loopback is reached only where a block names it: `0.0.0.0/0` does not. */
class Blocks {
  readonly all: ReturnType<typeof blocksOf>;
  readonly loopback: ReturnType<typeof blocksOf>;

  constructor(blocks: readonly Cidr[]) {
    const named = blocks.filter(({ address, prefix, family }) => LOOPBACK.has(address) && prefix >= (family === 'ipv4' ? 8 : 128));
    this.all = listOf(blocks);
    this.loopback = listOf(named);
  }
}

function blocksOf(texts: readonly string[]): { has(address: string): boolean } {
  return listOf(texts.flatMap((text) => parseCidr(text) ?? []));
}

/** A list for each family: one for both would find IPv4 addresses in blocks of mapped ones. */
function listOf(blocks: readonly Cidr[]): { has(address: string): boolean } {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const { address, prefix, family } of blocks) lists[family].addSubnet(address, prefix, family);
  return {
    has: (address) => {
      const family = isIPv4(address) ? 'ipv4' : 'ipv6';
      return lists[family].check(address.replace(/%.*$/, ''), family);
    },
  };
}

function isOwn(address: string): boolean {
  if (LOOPBACK.has(address)) return true;
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const list = listOf(own.flatMap((each) => parseCidr(each.address) ?? []));
  return list.has(address);
}

async function resolveHost(host: string): Promise<readonly string[]> {
  try {
    return (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);
  } catch (error) {
    throw new GatewayError('not_connected', `the address of ${host} cannot be found: ${messageOf(error)}`, { cause: error });
  }
}

function denied(target: string, { message }: EgressDenial): GatewayError {
  return new GatewayError('egress_denied', `${target} ${message}`);
}
