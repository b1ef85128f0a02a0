import { defineConfig } from 'vitest/config';
import { PlainSummary } from './scripts/plain-summary.ts';

export default defineConfig({
  test: {
    reporters: ['default', new PlainSummary()],
    include: ['test/**/*.test.ts'],
    exclude: ['test/interop/**', 'test/fault/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
