/** What this twinbox is: version and build time, put in by the bundler, read from the package when run from sources. */
import { readFileSync } from 'node:fs';
import type { UnixMs } from '../core/time.ts';

declare const TWINBOX_VERSION: string | undefined;
declare const TWINBOX_BUILD_MS: number | undefined;

export function version(): string {
  if (typeof TWINBOX_VERSION === 'string') return TWINBOX_VERSION;
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

/** When this was built; the epoch when run from sources. */
export function buildMs(): UnixMs {
  return (typeof TWINBOX_BUILD_MS === 'number' ? TWINBOX_BUILD_MS : 0) as UnixMs;
}
