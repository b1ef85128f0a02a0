/** Ids that the box makes: a prefix that says of what, and 12 base32 digits. Nobody but their maker reads anything from them. */
import { randomBytes } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'; // RFC 4648 §6, in lower case
const LENGTH = 12; // 60 bits: two of a thousand objects meet once in 10^12 boxes

/** The prefix and the first 60 bits of `bytes`, of which there are 8 at least. */
export function shortId(prefix: string, bytes: Buffer): string {
  let bits = bytes.readBigUInt64BE() >> 4n;
  let digits = '';
  for (let index = 0; index < LENGTH; index++) {
    digits = ALPHABET.charAt(Number(bits & 31n)) + digits;
    bits >>= 5n;
  }
  return prefix + digits;
}

/** One that was not there before: `dash-k5xw2mfa7qzc`. */
export function randomId(prefix: string): string {
  return shortId(prefix, randomBytes(8));
}
