/** How many samples lie in one block at most: what the background does at once is bounded by it. */

/**
 * Sorting, encoding or decoding so many takes 1 to 3 ms here. Four hours of a sample a second are 14,400, so that all but fast series have
 * one block for them: of blocks that are half as long a day takes 2 % more.
 */
export const MAX_BLOCK_SAMPLES = 1 << 14;
