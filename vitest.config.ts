import { defineConfig } from 'vitest/config';
import { PlainSummary } from './scripts/plain-summary.ts';

export default defineConfig({
  test: {
    reporters: ['default', new PlainSummary()],
    include: ['test/**/*.test.ts'],
    exclude: ['test/interop/**', 'test/fault/**'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
  },
});
