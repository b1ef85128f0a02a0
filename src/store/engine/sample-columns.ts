/** Samples in columns on their way from the intake to the heads: numbers only, in order of arrival. */
export interface SampleColumns {
  readonly timeMs: Float64Array;
  readonly numbers: Float64Array;
  readonly status: Uint32Array;
  /** Rises with every sample that comes. */
  readonly arrival: Float64Array;
}
