/** The address that the API listens on, as text: `127.0.0.1:3000`, `[::1]:3000`, `localhost:3000`. */
import { isIP, isIPv4, isIPv6 } from 'node:net';

export interface Listen {
  /** Without brackets. */
  readonly host: string;
  /** 0 lets the system choose a free one. */
  readonly port: number;
}

const ADDRESS = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/;
const HOST_NAME = /^(?!-)[A-Za-z0-9-]{1,63}(?:\.(?!-)[A-Za-z0-9-]{1,63})*$/;

/** Undefined for anything but HOST:PORT; an IPv6 address stands in brackets. */
export function parseListen(text: string): Listen | undefined {
  const [, ipv6, name, digits] = ADDRESS.exec(text) ?? [];
  const port = Number(digits);
  if (!(port <= 65_535)) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { host: ipv6, port } : undefined;
  if (name === undefined || !isHost(name)) return undefined;
  return { host: name, port };
}

/** Digits and dots alone are an IPv4 address or a mistake. */
function isHost(name: string): boolean {
  return isIPv4(name) || (HOST_NAME.test(name) && !/^[\d.]+$/.test(name));
}

/** True when only this machine can reach the host. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (name === 'localhost' || name === '::1') return true;
  const ipv4 = name.startsWith('::ffff:') ? name.slice('::ffff:'.length) : name;
  return isIP(ipv4) === 4 && ipv4.startsWith('127.');
}
