import { configDefaults, defineConfig } from 'vitest/config';
import { PlainSummary } from './scripts/plain-summary.ts';

/** What holds no process-wide state: these files share the modules of their worker, for loading them takes longer than the tests. */
const SHARING = ['test/{api,contract,core,dashboard,twin}/**/*.test.ts', 'test/alerts/*.test.ts'];

export default defineConfig({
  test: {
    reporters: ['default', new PlainSummary()],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'sharing', include: SHARING, isolate: false } },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...SHARING, 'test/interop/**', 'test/fault/**'],
        },
      },
    ],
  },
});
