/** The first token: where nobody could ever log in, the box makes one for its operator. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newToken } from '../api/auth.ts';
import { DEFAULT_TENANT } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { RecordStore, StoredToken } from '../store/records.ts';

/** Makes the admin token when there is no token at all; returns the file that holds it (mode 0600), or undefined. */
export async function ensureAdminToken(records: RecordStore, dataDir: string, nowMs: UnixMs): Promise<string | undefined> {
  const known = await records.tokens();
  if (known.some((token) => token.revokedMs === null)) return undefined;
  const { token, sha256 } = newToken();
  const file = join(dataDir, 'admin.token');
  writeFileSync(file, `${token}\n`, { mode: 0o600, flush: true });
  await records.createToken(newStoredToken({ name: 'admin', sha256, tenant: DEFAULT_TENANT, scopes: ['admin'], nowMs, expiresMs: null }));
  return file;
}

export interface NewToken {
  readonly name: string;
  readonly sha256: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
  readonly nowMs: UnixMs;
  readonly expiresMs: UnixMs | null;
}

export function newStoredToken({ name, sha256, tenant, scopes, nowMs, expiresMs }: NewToken): StoredToken {
  return { id: `tok-${randomBytes(6).toString('hex')}`, name, sha256, tenant, scopes, createdMs: nowMs, expiresMs, revokedMs: null };
}
