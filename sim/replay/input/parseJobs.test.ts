import { expect, test } from 'vitest';
import { parseJobs, type JobsWanted } from './parseJobs.ts';

const wanted: JobsWanted = { file: 'trace.csv', estimates: 'exact', totalGpus: 16 };
const header = 'id,submit_s,duration_s,gpus,est_s';

test('rows become jobs: those without GPUs are left out, and a duration is at least a second', () => {
  const text = `${header}\na,0,60,8,50\ncpu,1,60,0,50\nb,2,0,1,\n`;
  expect(parseJobs(text, wanted)).toEqual([
    { id: 'a', submitS: 0, durationS: 60, gpus: 8, estimateS: 60, priority: 0 },
    { id: 'b', submitS: 2, durationS: 1, gpus: 1, estimateS: 1, priority: 0 },
  ]);
});

test('estimates come from their column when they are asked for', () => {
  expect(parseJobs(`${header}\na,0,60,8,50`, { ...wanted, estimates: 'csv' })).toMatchObject([{ durationS: 60, estimateS: 50 }]);
});

test('line ends of Windows, a byte order mark and columns in another order do not matter', () => {
  const text = '\uFEFFgpus,user,submit_s,duration_s\r\n2,ann,7,9\r\n';
  expect(parseJobs(text, wanted)).toEqual([{ id: '2', submitS: 7, durationS: 9, gpus: 2, estimateS: 9, priority: 0 }]);
});

test.each([
  [
    'a header without a column',
    'id,submit_s,gpus\na,0,1',
    'trace.csv:1: no column "duration_s"; the columns are id, submit_s, gpus; needed are submit_s, duration_s, gpus',
  ],
  ['a row that is cut off', `${header}\na,0,60`, 'trace.csv:2: 3 fields where the header has 5'],
  ['no number', `${header}\na,0,60,8,1\nb,soon,60,8,1`, 'trace.csv:3: submit_s "soon": must be a whole number from 0 to 1073741824'],
  ['a fraction', `${header}\na,0,1.5,8,1`, 'trace.csv:2: duration_s "1.5": must be a whole number from 0 to 1073741824'],
  ['a job that never fits', `${header}\na,0,60,17,1`, 'trace.csv:2: gpus "17": the cluster has 16, so that the job could never start'],
  ['no job at all', `${header}\na,0,60,0,1`, 'trace.csv: no row with GPUs; a replay needs at least one job'],
])('%s is refused by file, line, column and value', (_, text, message) => {
  expect(() => parseJobs(text, wanted)).toThrow(message);
});

test('an estimate that is missing is refused only where estimates are read', () => {
  const text = `${header}\na,0,60,8,`;
  expect(parseJobs(text, wanted)).toHaveLength(1);
  expect(() => parseJobs(text, { ...wanted, estimates: 'csv' })).toThrow('trace.csv:2: est_s ""');
});

test('a priority is read where there is one', () => {
  expect(parseJobs('submit_s,duration_s,gpus,priority\n0,1,1,3\n0,1,1,', wanted).map(({ priority }) => priority)).toEqual([3, 0]);
});
