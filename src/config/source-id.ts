/** The identity of a source that the file gives none. */
import { createHash } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'; // RFC 4648 §6, in lower case
const LENGTH = 12; // 60 bits: two of a thousand sources meet once in 10^12 boxes

/** `ds-` and 12 base32 digits of SHA-256(tenant/name): the same at every start, another one after a rename. */
export function deriveSourceId(tenant: string, name: string): string {
  const hash = createHash('sha256').update(`${tenant}/${name}`).digest();
  let bits = hash.readBigUInt64BE() >> 4n;
  let digits = '';
  for (let index = 0; index < LENGTH; index++) {
    digits = ALPHABET.charAt(Number(bits & 31n)) + digits;
    bits >>= 5n;
  }
  return `ds-${digits}`;
}
