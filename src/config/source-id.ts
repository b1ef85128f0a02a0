/** The identity of a source or an alert rule that the file gives none. */
import { createHash } from 'node:crypto';
import { shortId } from '../core/short-id.ts';

/** `ds-` and 12 base32 digits of SHA-256(tenant/name): the same at every start, another one after a rename. */
export function deriveSourceId(tenant: string, name: string): string {
  return shortId('ds-', createHash('sha256').update(`${tenant}/${name}`).digest());
}

/** The same for an alert rule, as `ar-…`. */
export function deriveRuleId(tenant: string, name: string): string {
  return shortId('ar-', createHash('sha256').update(`${tenant}/${name}`).digest());
}

/** The source's own id, or the one made from its name. */
export function sourceIdOf(source: { readonly id?: string | undefined; readonly tenant: string; readonly name: string }): string {
  return source.id ?? deriveSourceId(source.tenant, source.name);
}
