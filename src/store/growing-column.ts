/** A column of numbers of a length that is not known before. */

const FIRST_CAPACITY = 32;

export class GrowingColumn {
  #numbers: Float64Array;
  #length = 0;

  /** `capacity`: about how many numbers there will be. */
  constructor(capacity = FIRST_CAPACITY) {
    this.#numbers = new Float64Array(Math.max(1, capacity));
  }

  get length(): number {
    return this.#length;
  }

  push(number: number): void {
    if (this.#length === this.#numbers.length) this.#reserve(this.#length + 1);
    this.#numbers[this.#length++] = number;
  }

  /** What was pushed; a view until the next push. */
  written(): Float64Array {
    return this.#numbers.subarray(0, this.#length);
  }

  #reserve(length: number): void {
    if (length <= this.#numbers.length) return;
    const larger = new Float64Array(Math.max(length, this.#numbers.length * 2));
    larger.set(this.written());
    this.#numbers = larger;
  }
}
