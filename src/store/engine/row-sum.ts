/** Checksums of rows: SQLite believes every byte of its pages, so each row carries one over all its other columns. */
import { crc32 } from 'node:zlib';

export type SqlValue = number | bigint | string | null | Uint8Array;

/**
 * CRC-32 over the name of the table and the values in the order of their columns: a row that a damaged table shows of another one is not believed.
 * An integer counts the same as a number or a bigint.
 */
export function rowSum(table: string, ...values: readonly SqlValue[]): number {
  let sum = crc32(`${table}\0`);
  for (const value of values) {
    const bytes = value instanceof Uint8Array ? value : `${value}\0`;
    if (bytes.length > 0) sum = crc32(bytes, sum); // zlib may forget the sum over no bytes
  }
  return sum;
}

/** True for a row of the table whose last column is the sum of the others. */
export function isSound(table: string, row: readonly SqlValue[]): boolean {
  return rowSum(table, ...row.slice(0, -1)) === Number(row.at(-1));
}
