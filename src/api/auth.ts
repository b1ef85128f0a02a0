/** Who calls: bearer tokens, their hashes, and the check of a token and its scope. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Clock } from '../core/clock.ts';
import type { Scope } from '../core/scope.ts';
import type { UnixMs } from '../core/time.ts';
import type { RecordStore, StoredToken } from '../store/records.ts';
import type { BackOff } from './back-off.ts';
import type { Exchange } from './exchange.ts';
import { ApiError } from './problem.ts';
import { type Soon, whenThere } from './soon.ts';

/** Every form that RFC 6750 §2.1 allows, for a token of the file may come from the plant's own vault; the bound keeps what is hashed small. */
const AUTHORIZATION = /^Bearer +([A-Za-z0-9._~+/-]{1,512}={0,2})$/i;
const RECHECK_MS = 1_000; // a token revoked by another process is refused after this at the latest, while the store answers
/** A disk that hangs must not blind the API: a token known a moment ago stays known while the store is silent. */
const PATIENCE_MS = 250;
const MAX_UNCONFIRMED_MS = 60_000;
const MAX_CACHED = 1_000;

/**
 * A fresh token and the hash that is all the box keeps of it: `tbx_`, 32 random bytes and the CRC-32 of all before it, in base64url. By the
 * checksum a scanner for leaked secrets tells a token from what only looks like one; the box itself looks at the hash alone.
 */
export function newToken(): { readonly token: string; readonly sha256: string } {
  const secret = `tbx_${randomBytes(32).toString('base64url')}`;
  const token = `${secret}${checksumOf(secret)}`;
  return { token, sha256: hashToken(token) };
}

/** Six characters. */
function checksumOf(secret: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(secret));
  return bytes.toString('base64url');
}

/** SHA-256, hex. A slow hash guards weak secrets; 256 random bits need none. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Finds the token behind an Authorization header. */
export class Authenticator {
  readonly #records: Pick<RecordStore, 'tokenByHash'>;
  readonly #clock: Clock;
  readonly #backOff: BackOff;
  /** Known tokens only, so that guesses cannot push them out. */
  readonly #cache = new Map<string, { readonly token: StoredToken; readonly recheckMs: number }>();
  /** What each connection sent last, for as long as it lives. */
  readonly #presented = new WeakMap<object, { readonly authorization: string; readonly sha256: string }>();
  readonly #lookups = new Map<string, Promise<StoredToken | undefined>>();

  /** As many requests share one wait for it, and one timer. */
  readonly #waits = new Map<string, Promise<StoredToken | undefined>>();

  constructor(records: Pick<RecordStore, 'tokenByHash'>, clock: Clock, backOff: BackOff) {
    this.#records = records;
    this.#clock = clock;
    this.#backOff = backOff;
  }

  /**
   * Throws `unauthorized` unless the header carries a token that is known, not revoked and not expired, and
   * `rate_limited` while the address has to wait. Tokens that were met lately do not wait: one machine with a wrong
   * token must not lock out the others behind the same address.
   */
  authenticate(authorization: string | undefined, { address, connection }: Pick<Exchange, 'address' | 'connection'>): Soon<StoredToken> {
    if (authorization === undefined) throw unauthorized();
    const sha256 = this.#hashOf(authorization, connection);
    if (sha256 === undefined || !this.#cache.has(sha256)) this.#backOff.check(address);
    return whenThere(sha256 === undefined ? undefined : this.#find(sha256), (token) => {
      if (token && isValid(token, this.#clock.now())) return token;
      this.#backOff.failed(address);
      throw unauthorized();
    });
  }

  /** A connection that is kept sends the same header each time; nobody but its own client learns from how fast the two compare. */
  #hashOf(authorization: string, connection: object | null): string | undefined {
    const last = connection && this.#presented.get(connection);
    if (last?.authorization === authorization) return last.sha256;
    const presented = AUTHORIZATION.exec(authorization)?.[1];
    const sha256 = presented === undefined ? undefined : hashToken(presented);
    if (connection && sha256 !== undefined) this.#presented.set(connection, { authorization, sha256 });
    return sha256;
  }

  #find(sha256: string): Soon<StoredToken | undefined> {
    const entry = this.#cache.get(sha256);
    const nowMs = this.#clock.monotonicMs();
    if (entry && nowMs < entry.recheckMs) return entry.token;
    const lookup = this.#lookUp(sha256);
    if (!entry || nowMs >= entry.recheckMs + MAX_UNCONFIRMED_MS) return lookup;
    const running = this.#waits.get(sha256);
    if (running) return running;
    const wait = this.#patiently(lookup, entry.token).finally(() => this.#waits.delete(sha256));
    this.#waits.set(sha256, wait);
    return wait;
  }

  async #patiently(lookup: Promise<StoredToken | undefined>, known: StoredToken): Promise<StoredToken | undefined> {
    const timer = new AbortController();
    const patience = this.#clock.sleep(PATIENCE_MS, timer.signal).then(
      () => known,
      () => known,
    );
    const answer = lookup.catch(() => known);
    const token = await Promise.race([answer, patience]);
    timer.abort();
    return token;
  }

  /** One lookup at a time for each hash, however many requests wait for it. */
  #lookUp(sha256: string): Promise<StoredToken | undefined> {
    const running = this.#lookups.get(sha256);
    if (running) return running;
    const lookup = this.#fetch(sha256).finally(() => this.#lookups.delete(sha256));
    this.#lookups.set(sha256, lookup);
    return lookup;
  }

  async #fetch(sha256: string): Promise<StoredToken | undefined> {
    const askedMs = this.#clock.monotonicMs();
    const token = await this.#records.tokenByHash(sha256);
    this.#cache.delete(sha256); // an entry that is set again moves to the end of the map
    if (!token || !sameHash(token.sha256, sha256)) return undefined;
    if (this.#cache.size >= MAX_CACHED) {
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest);
        break;
      }
    }
    this.#cache.set(sha256, { token, recheckMs: askedMs + RECHECK_MS });
    return token;
  }
}

function unauthorized(): ApiError {
  return new ApiError('unauthorized', 'This needs "Authorization: Bearer <token>" with a valid token.');
}

function sameHash(left: string, right: string): boolean {
  return left.length === right.length && timingSafeEqual(Buffer.from(left), Buffer.from(right));
}

/** False for one that was revoked or has expired. */
export function isValid({ revokedMs, expiresMs }: StoredToken, nowMs: UnixMs): boolean {
  return revokedMs === null && (expiresMs === null || expiresMs > nowMs);
}

/** Whether the token has the scope; `admin` has them all. */
export function hasScope({ scopes }: StoredToken, scope: Scope): boolean {
  return scopes.includes(scope) || scopes.includes('admin');
}

/** Throws `forbidden` unless the token has the scope. */
export function requireScope(token: StoredToken, scope: Scope): void {
  if (hasScope(token, scope)) return;
  throw new ApiError('forbidden', `This token lacks the scope ${scope}.`);
}
