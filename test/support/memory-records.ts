/** The records in memory: documents survive the registry that wrote them, as they would a restart. */
import { GatewayError } from '../../src/core/errors.ts';
import type { DocumentKey, DocumentWrite, RecordStore, StoredDocument } from '../../src/store/records.ts';

/** Keeps documents as JSON, as a database does; tokens it has none. */
export class MemoryRecords implements RecordStore {
  readonly #documents = new Map<string, StoredDocument>();
  writes = 0;
  failing = false;
  /** While set, writes wait for it. */
  gate: Promise<void> | undefined;

  async documents(kind: string): Promise<readonly StoredDocument[]> {
    return [...this.#documents.values()].filter((document) => document.kind === kind).map((document) => structuredClone(document));
  }

  async document({ kind, tenant, id }: DocumentKey): Promise<StoredDocument | undefined> {
    return structuredClone(this.#documents.get(`${kind} ${tenant} ${id}`));
  }

  async putDocument(key: DocumentKey, body: unknown, atMs: DocumentWrite['atMs']): Promise<StoredDocument> {
    await this.gate;
    if (this.failing) throw new GatewayError('disk_full', 'no space left');
    this.writes++;
    const place = `${key.kind} ${key.tenant} ${key.id}`;
    const known = this.#documents.get(place);
    const document: StoredDocument = {
      ...key,
      revision: (known?.revision ?? 0) + 1,
      createdMs: known?.createdMs ?? atMs,
      updatedMs: atMs,
      body: JSON.parse(JSON.stringify(body)),
    };
    this.#documents.set(place, document);
    return document;
  }

  async putDocuments(writes: readonly DocumentWrite[]): Promise<void> {
    for (const { body, atMs, ...key } of writes) await this.putDocument(key, body, atMs);
  }

  async removeDocument({ kind, tenant, id }: DocumentKey): Promise<boolean> {
    return this.#documents.delete(`${kind} ${tenant} ${id}`);
  }

  async removeDocuments(keys: readonly DocumentKey[]): Promise<void> {
    if (this.failing) throw new GatewayError('disk_full', 'no space left');
    for (const key of keys) await this.removeDocument(key);
  }

  tokens = async () => [];
  tokenByHash = async () => undefined;
  createToken = async () => undefined;
  revokeToken = async () => false;
}
