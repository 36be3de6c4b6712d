import { test as anywhere } from 'vitest';

/**
 * The tests of this folder look at processes through /proc: whose ranks they are, and which of them live. Elsewhere they
 * are skipped; what an agent does with processes there is tested by test/conformance.
 */
export const test = anywhere.skipIf(process.platform !== 'linux');
