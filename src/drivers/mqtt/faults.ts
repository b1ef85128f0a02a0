/** What a broker's refusals and a socket's errors mean, in the house's error codes. */
import { type ErrorCode, GatewayError, messageOf } from '../../core/errors.ts';

/** Reason codes of CONNACK: 3.1.1 §3.2.2.3 (1–5) and 5.0 §3.2.2.2 (from 128). */
const REFUSALS: ReadonlyMap<number, readonly [ErrorCode, string]> = new Map([
  [1, ['config_invalid', 'the broker does not speak this protocol_version']],
  [132, ['config_invalid', 'the broker does not speak this protocol_version']],
  [2, ['config_invalid', 'the broker refuses the client_id']],
  [133, ['config_invalid', 'the broker refuses the client_id']],
  [4, ['authentication_failed', 'the broker refuses the username or password']],
  [134, ['authentication_failed', 'the broker refuses the username or password']],
  [5, ['authentication_failed', 'the broker does not authorise us']],
  [135, ['authentication_failed', 'the broker does not authorise us']],
  [138, ['authentication_failed', 'the broker has banned us']],
  [140, ['authentication_failed', 'the broker wants another way of authentication']],
  [3, ['not_connected', 'the broker is not available']],
  [136, ['not_connected', 'the broker is not available']],
  [137, ['not_connected', 'the broker is busy']],
]);

/** Node's and OpenSSL's codes for a certificate that we, or the broker, do not accept. */
const CERTIFICATE = /CERT|UNABLE_TO_|SELF_SIGNED|HOSTNAME_MISMATCH|ALERT_(?:UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)/;

/** Reason codes of DISCONNECT (5.0 §3.14.2.1) that explain a lost link. */
const FAREWELLS: ReadonlyMap<number, string> = new Map([
  [139, 'the broker is shutting down'],
  [141, 'the broker missed our keepalive'],
  [142, 'another client has taken over the session: the same client_id is used twice'],
  [152, 'an administrator has disconnected us'],
]);

/** Why a link could not be made or was lost; `url` without credentials. */
export function linkError(url: string, cause: unknown): GatewayError {
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const [kind, reason] =
    (typeof code === 'number' && REFUSALS.get(code)) ||
    (typeof code === 'string' && CERTIFICATE.test(code) && (['authentication_failed', 'a certificate was not accepted'] as const)) ||
    (['not_connected', undefined] as const);
  return new GatewayError(kind, `${url}: ${reason === undefined ? '' : `${reason}: `}${messageOf(cause)}`, { cause });
}

const NOT_AUTHORISED = 0x87;

/** Why a broker did not take a message of ours. */
export function publishError(url: string, topic: string, cause: Error): GatewayError {
  const code: unknown = 'code' in cause ? cause.code : undefined;
  if (typeof code !== 'number')
    return new GatewayError('not_connected', `${url}: "${topic}" could not be published: ${messageOf(cause)}`, { cause });
  const message = `${url}: the broker refuses what is published to "${topic}": ${messageOf(cause)}`;
  return new GatewayError(code === NOT_AUTHORISED ? 'not_writable' : 'write_refused', message, { cause });
}

/** What a broker said as it closed the link. */
export function farewell(reasonCode: number | undefined): string {
  if (reasonCode === undefined) return 'the broker closed the connection';
  return FAREWELLS.get(reasonCode) ?? `the broker closed the connection with reason code ${reasonCode}`;
}
