/** Sizes as people write them: `20GB`, `512MB`, `1.5GiB`. */

const SIZE = /^(\d{1,12}(?:\.\d{1,3})?)(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$/;
const UNIT_BYTES = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** Reads a size into whole bytes; KB, MB, GB and TB are decimal, KiB and so on binary (IEC 80000-13). `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (!match) return undefined;
  const bytes = Math.round(Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
