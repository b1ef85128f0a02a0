/** A device that is reached over the network: where it is, and the one address that it is talked to at. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { isGatewayError } from '../../core/errors.ts';
import type { Egress } from '../driver.ts';
import { type Bounds, bounded, cannotConnect } from './bounded.ts';

export interface HostOptions {
  readonly host: string;
  readonly port: number;
  readonly unitId: number;
  readonly egress?: Egress | undefined;
}

/** The IP address of the host. Rejects `not_connected` when it cannot be found in time, and `egress_denied`. */
export async function addressOf({ host, port, egress }: HostOptions, bounds: Bounds, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  if (isIP(host) !== 0 && !egress) return host;
  const found = egress ? egress.address(host, port, signal) : lookup(host).then(({ address }) => address);
  try {
    return await bounded(found, { ...bounds, closing: { onClose: () => () => {} }, signal });
  } catch (error) {
    throw signal.aborted || isGatewayError(error, 'egress_denied') ? error : cannotConnect(bounds.endpoint, error);
  }
}
