/** The port to the small documents of the box: twins, sources, tokens. Async, for a flush on an SD card must not stall polls. */
import type { UnixMs } from '../core/time.ts';

export type DocumentKind = 'twin' | 'source';

export interface StoredDocument {
  readonly kind: DocumentKind;
  readonly tenant: string;
  readonly id: string;
  /** 1 at creation, one more with each change. */
  readonly revision: number;
  readonly createdMs: UnixMs;
  readonly updatedMs: UnixMs;
  /** Plain JSON; its shape belongs to whoever owns the kind. */
  readonly body: unknown;
}

export interface StoredToken {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the token, hex. The token itself is nowhere. */
  readonly sha256: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
  readonly createdMs: UnixMs;
  readonly expiresMs: UnixMs | null;
  readonly revokedMs: UnixMs | null;
}

export interface DocumentKey {
  readonly kind: DocumentKind;
  readonly tenant: string;
  readonly id: string;
}

/** A document to be created or replaced at `atMs`. */
export interface DocumentWrite extends DocumentKey {
  readonly body: unknown;
  readonly atMs: UnixMs;
}

export interface RecordStore {
  /** All of a kind, of every tenant, by (tenant, id). */
  documents(kind: DocumentKind): Promise<readonly StoredDocument[]>;
  /** Creates or replaces; `expectedRevision` (0 = must not exist) makes it reject `conflict` when another was there first. */
  putDocument(key: DocumentKey, body: unknown, atMs: UnixMs, expectedRevision?: number): Promise<StoredDocument>;
  /** Many at once, in one commit. */
  putDocuments(writes: readonly DocumentWrite[]): Promise<void>;
  /** True when there was one. */
  removeDocument(key: DocumentKey): Promise<boolean>;
  tokens(): Promise<readonly StoredToken[]>;
  tokenByHash(sha256: string): Promise<StoredToken | undefined>;
  createToken(token: StoredToken): Promise<void>;
  /** True when there was one that was not revoked. */
  revokeToken(id: string, atMs: UnixMs): Promise<boolean>;
}
