import { defineConfig } from 'vitest/config';
import { PlainSummary } from './scripts/plain-summary.ts';

/**
 * The built daemon against servers that this project did not write (`npm run test:interop`), and stores and daemons that are killed, cut off and
 * damaged (`npm run test:fault`). One file at a time, for they start real servers and processes.
 */
export default defineConfig({
  test: {
    reporters: ['default', new PlainSummary()],
    include: ['test/interop/**/*.test.ts', 'test/fault/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    fileParallelism: false,
  },
});
