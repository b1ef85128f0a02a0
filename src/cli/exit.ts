/** What the exit codes mean, after sysexits(3). */
export const EXIT = { done: 0, failed: 1, usage: 64, unreachable: 69, config: 78 } as const;
