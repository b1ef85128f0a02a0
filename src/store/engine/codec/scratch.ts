/** Working memory that is kept from block to block, so that coding allocates next to nothing. Not for use across calls. */

/** One array that grows to the largest block seen; what it holds is undefined at each call of `atLeast`. */
export class Scratch<Buffer extends { readonly length: number }> {
  #buffer: Buffer;
  readonly #create: (length: number) => Buffer;

  constructor(create: (length: number) => Buffer) {
    this.#create = create;
    this.#buffer = create(1024);
  }

  atLeast(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = this.#create(Math.max(length, this.#buffer.length * 2));
    return this.#buffer;
  }
}
