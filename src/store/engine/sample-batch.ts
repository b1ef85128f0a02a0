/** Samples of one series on their way from the intake to the heads: numbers only, in order of arrival. */

/**
 * Samples `from` to `to` of the records, which lie as those of a ring do, in three doubles each: time in ms, number, and a word of no meaning
 * before the status. So a sample is one place in memory, not one in each of four columns.
 */
export interface SampleBatch {
  readonly floats: Float64Array;
  /** The same memory. */
  readonly words: Uint32Array;
  /** Rises with every sample that comes; of the samples of series that share their tag. */
  readonly arrival: Float64Array;
  from: number;
  to: number;
  /** Each is newer than the one before. */
  isAscending: boolean;
  /** Its order of arrival is to be kept. */
  isShared: boolean;
}

/** Room for `capacity` samples. */
export function newBatch(capacity: number): SampleBatch {
  const floats = new Float64Array(3 * capacity);
  return {
    floats,
    words: new Uint32Array(floats.buffer),
    arrival: new Float64Array(capacity),
    from: 0,
    to: 0,
    isAscending: true,
    isShared: false,
  };
}

/** Whether the times of these records ascend. */
export function isAscending(floats: Float64Array, from: number, to: number): boolean {
  for (let index = from + 1; index < to; index++) if (!((floats[3 * index] as number) > (floats[3 * index - 3] as number))) return false;
  return true;
}
