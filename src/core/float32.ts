/** How a 32-bit float looks in decimal. */

const SMALLEST_NORMAL_F32 = 2 ** -126;

/** The shortest decimal that rounds to the same 32-bit float: 23.4, not 23.399999618530273. Others are left as they are. */
export function shortestF32(value: number): number {
  if (Math.fround(value) !== value) return value;
  // Six digits survive every normal 32-bit float, nine tell any two apart; below the normal range fewer digits may do.
  for (let digits = Math.abs(value) < SMALLEST_NORMAL_F32 ? 1 : 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return Number(value.toPrecision(9));
}
