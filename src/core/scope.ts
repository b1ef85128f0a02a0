/** What a token may be allowed to do. */

export const SCOPES = [
  'read:assets',
  'write:assets',
  'read:telemetry',
  'write:telemetry',
  'read:alerts',
  'write:alerts',
  'read:ml',
  'write:ml',
  'write:control',
  'read:packs',
  'admin',
] as const;

/** `admin` includes all others within its tenant. */
export type Scope = (typeof SCOPES)[number];

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
