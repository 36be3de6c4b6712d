/** Loaded before the tests of a long run: properties that name no number of cases have SHOAL_CASES of them too. */
import fc from 'fast-check';
import { cases } from './cases.ts';

/** fast-check's own number of cases. */
const usualCases = 100;

fc.configureGlobal({ numRuns: cases(usualCases) });
