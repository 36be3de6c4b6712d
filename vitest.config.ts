import { defineConfig } from 'vitest/config';

/** Where .ci/run wants the counts; unset elsewhere. */
const reportPath = process.env['SHOAL_TEST_REPORT'];
/** Of the properties: `npm run properties` sets it. */
const isLongRun = process.env['SHOAL_CASES'] !== undefined;

/**
 * Three projects, from the quick to the slow, one after the other: unit (beside the sources, and the tests of the
 * repository itself), conformance (one suite a port, on every adapter), e2e (real processes, one file at a time).
 */
export default defineConfig({
  test: {
    reporters: reportPath === undefined ? ['default'] : ['default', 'json'],
    ...(reportPath === undefined ? {} : { outputFile: { json: reportPath } }),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{proto,controller,agent,cli,sim,tools,bench}/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/{conformance,e2e}/**', '**/node_modules/**'],
          // The long run of properties takes what it takes.
          testTimeout: isLongRun ? 4 * 3_600_000 : 20_000,
          setupFiles: isLongRun ? ['test/propertyCases.ts'] : [],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 30_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
