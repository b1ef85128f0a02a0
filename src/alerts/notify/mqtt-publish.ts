/** Publishes one message over a connection that lasts just as long: there are few of them, and a session for nothing would have to be watched. */
import { connect, type IClientOptions } from 'mqtt';
import type { GatewayError } from '../../core/errors.ts';

export interface Publication {
  readonly url: string;
  readonly options: IClientOptions;
  readonly topic: string;
  readonly payload: string;
  readonly qos: 1 | 2;
  /** What the library's errors mean. */
  readonly errors: { link(error: Error): GatewayError; publish(error: Error): GatewayError };
}

/** Resolves when the broker has acknowledged it. Rejects as `errors` says, or with the signal's reason. */
export async function publishOnce({ url, options, topic, payload, qos, errors }: Publication, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const client = connect(url, options);
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      client.on('error', (error) => reject(errors.link(error)));
      client.on('close', () => reject(errors.link(new Error('the broker closed the connection'))));
      client.once('connect', () => {
        client.publish(topic, payload, { qos, retain: false }, (error) => {
          if (error) reject(errors.publish(error));
          else resolve();
        });
      });
    });
  } finally {
    client.end(signal.aborted); // by force when nobody waits any more; else with a DISCONNECT
  }
}
