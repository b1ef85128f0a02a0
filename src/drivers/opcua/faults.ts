/** Turns what the library throws into our errors: which code, so that the supervisor backs off rightly, and a message with the endpoint in it. */
import { type ErrorCode, GatewayError, messageOf } from '../../core/errors.ts';

// The library gives most faults as text only; status names are OPC UA Part 4 §7.39 and stand in the text literally.
const REFUSED_IDENTITY = /BadUserAccessDenied|BadIdentity\w+|BadUserSignatureInvalid|user token policy in end point/;
const REFUSED_CERTIFICATE = /BadCertificate\w*|BadSecurityChecksFailed|BadNoValidCertificates|BadApplicationSignatureInvalid/;
const NO_SUCH_ENDPOINT = /BadSecurityPolicyRejected|BadSecurityModeRejected|End point must exist|BadTcpEndpointUrlInvalid/;

/** `certificateFile` is ours, named where the server did not like it. A GatewayError keeps its code. */
export function connectFault(error: unknown, endpoint: string, certificateFile: string): GatewayError {
  if (error instanceof GatewayError) return named(error, endpoint);
  const text = oneLine(messageOf(error));
  const fault = (code: ErrorCode, message: string) => new GatewayError(code, `${endpoint}: ${message} (${text})`, { cause: error });
  if (REFUSED_IDENTITY.test(text)) return fault('authentication_failed', 'the server refused the user; see authentication');
  if (REFUSED_CERTIFICATE.test(text)) {
    return fault('authentication_failed', `the server refused our certificate; trust ${certificateFile} at the server`);
  }
  if (NO_SUCH_ENDPOINT.test(text)) return fault('config_invalid', 'the server does not offer this security_mode and security_policy');
  return fault('not_connected', 'cannot connect');
}

/** For a fault on a link that stood: the supervisor builds a new one. */
export function linkFault(error: unknown, endpoint: string): GatewayError {
  if (error instanceof GatewayError) return named(error, endpoint);
  return new GatewayError('not_connected', `${endpoint}: the link was lost (${oneLine(messageOf(error))})`, { cause: error });
}

function named(error: GatewayError, endpoint: string): GatewayError {
  if (error.message.includes(endpoint)) return error;
  return new GatewayError(error.code, `${endpoint}: ${error.message}`, { cause: error });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** True when the service fault that the error's text tells of is this one. */
export function hasStatus(error: unknown, name: string): boolean {
  return messageOf(error).includes(name);
}
