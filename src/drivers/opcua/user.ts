/** The user that a session is opened for. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  crypto_utils,
  type EndpointDescription,
  MessageSecurityMode,
  SecurityPolicy,
  type UserIdentityInfo,
  UserTokenType,
} from 'node-opcua-client';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { readSmallFile } from '../../core/small-file.ts';
import type { OpcuaConfig } from './options.ts';

/** Rejects `config_invalid` when the user's certificate or key cannot be read. */
export async function userIdentity(authentication: OpcuaConfig['authentication']): Promise<UserIdentityInfo> {
  switch (authentication.type) {
    case 'anonymous':
      return { type: UserTokenType.Anonymous };
    case 'username_password':
      return { type: UserTokenType.UserName, userName: authentication.username, password: authentication.password };
    case 'certificate': {
      const certificate = await readPart('certificate_file', authentication.certificate_file, (bytes) => new X509Certificate(bytes));
      const key = await readPart('private_key_file', authentication.private_key_file, (bytes) => createPrivateKey(bytes));
      if (!certificate.checkPrivateKey(key)) {
        throw new GatewayError('config_invalid', 'authentication.private_key_file is not the key of authentication.certificate_file');
      }
      const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
      return {
        type: UserTokenType.Certificate,
        certificateData: certificate.raw,
        keyOperations: crypto_utils.keyOperationsFromPrivateKey(crypto_utils.makePrivateKeyFromPem(pem)),
      };
    }
  }
}

/**
 * Refuses to send a password in the clear over a channel that only signs: a server may ask for that by a user token
 * policy of None, and the library would obey. Throws `authentication_failed`.
 */
export function checkPasswordProtected(authentication: OpcuaConfig['authentication'], endpoint: EndpointDescription): void {
  if (authentication.type !== 'username_password' || endpoint.securityMode !== MessageSecurityMode.Sign) return;
  const policies = (endpoint.userIdentityTokens ?? []).filter((policy) => policy.tokenType === UserTokenType.UserName);
  if (policies.length > 0 && policies.every((policy) => policy.securityPolicyUri === SecurityPolicy.None)) {
    throw new GatewayError('authentication_failed', 'the server wants the password in the clear; use security_mode SignAndEncrypt');
  }
}

async function readPart<T>(key: string, path: string, parse: (bytes: Buffer) => T): Promise<T> {
  try {
    return parse(await readSmallFile(path));
  } catch (cause) {
    throw new GatewayError('config_invalid', `authentication.${key} ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
