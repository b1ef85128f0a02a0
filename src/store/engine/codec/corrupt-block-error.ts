/** The one error of the codec's reading side. */

/** The bytes are not a block that this codec wrote. Nothing was decoded. */
export class CorruptBlockError extends Error {
  override readonly name = 'CorruptBlockError';
}
