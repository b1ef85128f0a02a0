/** The neighbours of a 64-bit float, so that an open end of a range can be said as a closed one. (IEEE 754-2019 §5.3.1, nextUp and nextDown) */

const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

/** The smallest number that is larger; infinity and NaN are given back. */
export function above(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  if (Number.isNaN(value) || value === Number.POSITIVE_INFINITY) return value;
  float[0] = value;
  bits[0] = (bits[0] as bigint) + (value > 0 ? 1n : -1n);
  return float[0];
}

/** The largest number that is smaller; −infinity and NaN are given back. */
export function below(value: number): number {
  return -above(-value);
}
