/** Writes and reads tar archives of plain files: ustar (POSIX.1-1988), with the binary sizes of GNU tar for files of 8 GiB and more. */
import { GatewayError } from '../../core/errors.ts';

export const BLOCK_BYTES = 512;
/** Of the name field, and of the field for folders in front of it. */
const MAX_NAME_BYTES = 100;
const MAX_PREFIX_BYTES = 155;
const MAX_OCTAL_SIZE = 8 ** 11 - 1;
const PLAIN_FILE = '0'.charCodeAt(0);
const [SIZE_AT, SUM_AT, TYPE_AT, PREFIX_AT] = [124, 148, 156, 345];

/** The end of an archive. */
export const TAR_END: Uint8Array = Buffer.alloc(2 * BLOCK_BYTES);

export interface TarEntry {
  /** Relative, with slashes. */
  readonly name: string;
  readonly size: number;
}

/** The header of a file that only its owner may read. `mtimeMs` is ms UTC. Throws RangeError for a name that does not fit. */
export function tarHeader({ name, size }: TarEntry, mtimeMs: number): Uint8Array {
  const header = Buffer.alloc(BLOCK_BYTES);
  const [prefix, rest] = splitName(name);
  header.write(rest, 0);
  header.write(prefix, PREFIX_AT);
  header.write('0000600\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  if (size <= MAX_OCTAL_SIZE) header.write(`${octal(size, 11)}\0`, SIZE_AT);
  else {
    header.writeUInt8(0x80, SIZE_AT);
    header.writeBigUInt64BE(BigInt(size), SIZE_AT + 4);
  }
  header.write(`${octal(Math.max(0, Math.floor(mtimeMs / 1_000)), 11)}\0`, 136);
  header.writeUInt8(PLAIN_FILE, TYPE_AT);
  header.write('ustar\x0000', 257);
  header.write(`${octal(checksum(header), 6)}\0 `, SUM_AT);
  return header;
}

/** The zeros behind a file's content. */
export function tarPadding(size: number): Uint8Array {
  return Buffer.alloc((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** Undefined for the zeros at the end. Throws `backup_invalid` for anything that is not a plain file. */
export function parseTarHeader(block: Buffer): TarEntry | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const text = (at: number, length: number) =>
    block
      .toString('utf8', at, at + length)
      .split('\0', 1)[0]
      ?.trim() ?? '';
  if (Number.parseInt(text(SUM_AT, 8), 8) !== checksum(block))
    throw new GatewayError('backup_invalid', 'a header of the archive is damaged');
  const prefix = text(PREFIX_AT, MAX_PREFIX_BYTES);
  const name = `${prefix}${prefix === '' ? '' : '/'}${text(0, MAX_NAME_BYTES)}`;
  if (block[TYPE_AT] !== PLAIN_FILE) throw new GatewayError('backup_invalid', `${name} is no plain file`);
  const size = block[SIZE_AT] === 0x80 ? Number(block.readBigUInt64BE(SIZE_AT + 4)) : Number.parseInt(text(SIZE_AT, 12), 8);
  if (!Number.isSafeInteger(size) || size < 0) throw new GatewayError('backup_invalid', `${name} has no size that makes sense`);
  return { name, size };
}

/** Folders go in front where a name is too long for its field. */
function splitName(name: string): readonly [prefix: string, rest: string] {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return ['', name];
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
    const [prefix, rest] = [name.slice(0, at), name.slice(at + 1)];
    if (Buffer.byteLength(prefix) <= MAX_PREFIX_BYTES && Buffer.byteLength(rest) <= MAX_NAME_BYTES) return [prefix, rest];
  }
  throw new RangeError(`${name} is too long for an archive`);
}

/** The sum of all bytes, those of the sum itself taken for spaces. */
function checksum(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (const [index, byte] of block.entries()) if (index < SUM_AT || index >= SUM_AT + 8) sum += byte;
  return sum;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

/** Takes pieces of any size and gives them out by the byte. */
export class ByteStream {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** So many bytes at once. Throws `backup_invalid` when there are fewer. */
  async take(size: number): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.pieces(size)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** So many bytes as they come. Throws `backup_invalid` when there are fewer. */
  async *pieces(size: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = size; left > 0; ) {
      if (this.#piece.length === 0) {
        const next = await this.#source.next();
        if (next.done) throw new GatewayError('backup_invalid', 'the archive ends too early');
        this.#piece = next.value;
      }
      const piece = this.#piece.subarray(0, left);
      this.#piece = this.#piece.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
