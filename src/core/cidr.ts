/** Blocks of addresses as text: `10.0.0.0/8`, `fc00::/7`; an address alone is a block of one. (RFC 4632 §3.1, RFC 4291 §2.3) */
import { isIPv4, isIPv6 } from 'node:net';

export interface Cidr {
  /** Without a zone; bits behind the prefix count for nothing. */
  readonly address: string;
  /** Bits that must be the same. */
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Undefined for anything else, a zone (`%eth0`) included. */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = '', digits] = /^([0-9A-Fa-f:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
  if (family === undefined) return undefined;
  const bits = family === 'ipv4' ? 32 : 128;
  const prefix = digits === undefined ? bits : Number(digits);
  return prefix <= bits ? { address, prefix, family } : undefined;
}
