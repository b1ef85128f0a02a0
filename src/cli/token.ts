/** `twinbox token`: makes, lists and revokes API tokens, with the daemon running or stopped: tokens live in the records database. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { newToken } from '../api/auth.ts';
import { newStoredToken } from '../app/admin-token.ts';
import { systemClock } from '../core/clock.ts';
import { isScope, SCOPES } from '../core/scope.ts';
import { ID_PATTERN } from '../core/tag.ts';
import { parseDuration, toIso, type UnixMs } from '../core/time.ts';
import { RecordsDatabase } from '../store/sqlite/records.ts';
import { EXIT } from './exit.ts';

interface DataDirOption {
  readonly dataDir: string;
}

export interface CreateOptions extends DataDirOption {
  readonly name: string;
  readonly tenant: string;
  /** Comma-separated. */
  readonly scopes: string;
  readonly expires?: string;
}

/** Prints the token once, alone on the last line. */
export async function createToken(options: CreateOptions): Promise<number> {
  const scopes = options.scopes.split(',').map((scope) => scope.trim());
  const unknown = scopes.find((scope) => !isScope(scope));
  if (unknown !== undefined) return usage(`--scopes ${unknown || '""'} – expected some of ${SCOPES.join(', ')}`);
  if (!ID_PATTERN.test(options.tenant)) return usage(`--tenant ${options.tenant} – not a tenant id`);
  const lifeMs = options.expires === undefined ? null : parseDuration(options.expires);
  if (lifeMs === undefined) return usage(`--expires ${options.expires} – expected a duration such as 90d`);
  return withRecords(options, (records) => {
    const { token, sha256 } = newToken();
    const nowMs = systemClock.now();
    const expiresMs = lifeMs === null ? null : ((nowMs + lifeMs) as UnixMs);
    const stored = newStoredToken({ name: options.name, sha256, tenant: options.tenant, scopes, nowMs, expiresMs });
    records.createToken(stored);
    process.stdout.write(`${stored.id} ${describe(stored.tenant, scopes, expiresMs)}; it is shown only now:\n${token}\n`);
    return EXIT.done;
  });
}

export async function listTokens(options: DataDirOption): Promise<number> {
  return withRecords(options, (records) => {
    for (const token of records.tokens()) {
      const state = token.revokedMs === null ? '' : `, revoked ${toIso(token.revokedMs)}`;
      process.stdout.write(`${token.id}\t${token.name}\t${describe(token.tenant, token.scopes, token.expiresMs)}${state}\n`);
    }
    return EXIT.done;
  });
}

export async function revokeToken(id: string, options: DataDirOption): Promise<number> {
  return withRecords(options, (records) => {
    if (records.revokeToken(id, systemClock.now())) return EXIT.done;
    process.stderr.write(`${id} – there is no such token, or it was revoked before\n`);
    return EXIT.failed;
  });
}

function describe(tenant: string, scopes: readonly string[], expiresMs: UnixMs | null): string {
  return `tenant ${tenant}, scopes ${scopes.join(',')}, ${expiresMs === null ? 'never expires' : `expires ${toIso(expiresMs)}`}`;
}

function usage(message: string): number {
  process.stderr.write(`${message}\n`);
  return EXIT.usage;
}

function withRecords(options: DataDirOption, act: (records: RecordsDatabase) => number): number {
  if (!existsSync(options.dataDir))
    return usage(`--data-dir ${options.dataDir} – there is no such folder; start the daemon once, or name its data_dir`);
  const records = new RecordsDatabase(join(options.dataDir, 'records.db'));
  try {
    return act(records);
  } finally {
    records.close();
  }
}
