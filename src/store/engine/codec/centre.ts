/** The moving centre of a noise stream, which encoder and decoder follow in the same steps. */

/** Within a group the decoder need not wait for the values before: 8 decodes a tenth faster, but takes 4 % more on steep signals. */
export const GROUP = 4;
/** Gains are 2^0…2^−5 a group. */
export const GAIN_EXPONENTS = 6;
/** The centre's binary digits behind the point while it walks through a group. */
export const CENTRE_BITS = 12;
export const PHASE_SHIFT = CENTRE_BITS - 3;

export const centre = new Float64Array(2);
export const LEVEL = 0;
export const SLOPE = 1;
/** From the start of a group to its middle. */
export const HALF = (GROUP - 1) / 2;

/** Corrects the centre after a group whose steps sum to `sum`; returns the mean error. The order of the operations is part of the format. */
export function follow(sum: number, gain: number): number {
  const level = centre[LEVEL] as number;
  const slope = centre[SLOPE] as number;
  const error = sum / GROUP - (level + slope * HALF);
  centre[LEVEL] = level + slope * GROUP + gain * error;
  centre[SLOPE] = slope + ((gain * gain) / (4 * GROUP)) * error;
  return error;
}
