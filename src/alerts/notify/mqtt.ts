/** The mqtt channel: the JSON document published with an acknowledgement. */
import { randomBytes } from 'node:crypto';
import type { IClientOptions } from 'mqtt';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { Channel } from './channel.ts';
import type { Letter } from './letter.ts';
import type { MqttConfig } from './schema.ts';
import { connectionError, tlsOptions } from './tls-files.ts';

/** MQTT 5.0 §3.4.2.1: what passes by itself. */
const PASSING = [0x80, 0x83, 0x97]; // unspecified, implementation specific, quota exceeded
/** CONNACK: 3.1.1 §3.2.2.3 and 5.0 §3.2.2.2. */
const UNAUTHORISED = [4, 5, 134, 135, 138, 140];

export class MqttChannel implements Channel {
  readonly target: string;
  readonly #config: MqttConfig;

  constructor(config: MqttConfig) {
    const url = new URL(config.broker_url);
    this.#config = config;
    this.target = `${config.topic} at ${url.protocol}//${url.host}`;
  }

  async send(letter: Letter, signal: AbortSignal): Promise<null> {
    const { publishOnce } = await import('./mqtt-publish.ts'); // with its library, which a box without such a channel need not load
    const { broker_url: url, topic, qos } = this.#config;
    const options = await this.#options();
    const errors = { link: (error: Error) => this.#linkError(error), publish: (error: Error) => this.#publishError(error) };
    await publishOnce({ url, options, topic, payload: JSON.stringify(letter.document), qos, errors }, signal);
    return null;
  }

  async #options(): Promise<IClientOptions> {
    const { broker_url: url, username, password, tls, protocol_version: protocolVersion } = this.#config;
    const secure = /^(mqtts|wss):/.test(url);
    return {
      protocolVersion,
      clientId: `twinbox-notify-${randomBytes(6).toString('hex')}`,
      clean: true,
      reconnectPeriod: 0,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(secure && (await tlsOptions(tls))),
    };
  }

  #linkError(cause: Error): GatewayError {
    const code: unknown = 'code' in cause ? cause.code : undefined;
    if (typeof code !== 'number') return connectionError(this.target, cause);
    const kind = UNAUTHORISED.includes(code) ? 'authentication_failed' : 'not_connected';
    return new GatewayError(kind, `${this.target}: the broker refuses us: ${messageOf(cause)}`, { cause });
  }

  #publishError(cause: Error): GatewayError {
    const code: unknown = 'code' in cause ? cause.code : undefined;
    const refused = typeof code === 'number' && code >= 0x80 && !PASSING.includes(code);
    return new GatewayError(refused ? 'delivery_refused' : 'delivery_failed', `${this.target}: ${messageOf(cause)}`, { cause });
  }
}
