import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { attemptsOf, job, playText, scenarioText } from '../testing/playText.ts';

const reserve = (name: string, spec: string, at = '0s'): string =>
  `{at: ${at}, apply: {apiVersion: shoal.dev/v1, kind: Reservation, metadata: {name: ${name}}, spec: {${spec}}}}`;
const whole = 'workers: 1, gpusPerWorker: 4';

test('a job leaves before maintenance and goes on after it, and nothing runs there meanwhile', () => {
  const report = playText(
    scenarioText({
      nodes: 1,
      timeline: [
        job('a', { spec: whole, run: 'work: 30m, step: 1s, checkpointEvery: 5m' }),
        reserve('mend', 'kind: maintenance, nodes: {names: [n1]}, start: 1970-01-01T00:20:00Z, duration: 10m'),
      ],
    }),
  );
  const [first, second] = report.workloads['job/a']?.attempts ?? [];
  expect(first?.stopReasons).toEqual(['Drained']);
  expect(first?.endedAt).toBeGreaterThan(19 * 60_000);
  expect(first?.endedAt).toBeLessThanOrEqual(20 * 60_000);
  expect(second?.startedAt).toBeGreaterThanOrEqual(30 * 60_000);
  expect(second?.startedAt).toBeLessThan(31 * 60_000);
  // Ten minutes of four GPUs; who waits for it is told so.
  expect(report.ledger.categories.cordoned).toBe(10 * 60_000 * 4_000);
  expect(report.workloads['job/a']?.phase).toBe('Succeeded');
});

test('what is refused is told, and the story goes on', () => {
  const report = playText(
    scenarioText({
      timeline: [job('a', { run: 'work: 1m, step: 1s' }), reserve('mend', 'kind: maintenance, nodes: {names: [n9]}, duration: 10m')],
    }),
  );
  expect(report.events).toContainEqual(
    expect.objectContaining({
      object: 'reservation/mend',
      reason: 'Refused',
      message: 'applyReservation: node "n9" does not exist; did you mean "n1"?',
    }),
  );
  expect(report.workloads['job/a']?.phase).toBe('Succeeded');
});

test('a file with a wrong reservation does not play', () => {
  const text = scenarioText({ timeline: [reserve('mend', 'kind: maintenance, nodes: {}, duration: 10m')] });
  expect(() => playText(text)).toThrow('spec.nodes: none of names, domains, labels and count are given');
});

test('the example is what its first lines say', () => {
  const report = playText(readFileSync(new URL('../../examples/scenarios/maintenance-window.yaml', import.meta.url), 'utf8'));
  const names = ['train', 'early', 'fixed', 'night', 'guest', 'show'];
  expect(names.flatMap((name) => attemptsOf(report, name).map((line) => `${name} ${line}`))).toEqual([
    'train 1: 5000-7195000 Drained on n1 from 0',
    'train 2: 7200000-22030000 Succeeded on n4 from 704',
    'early 1: 5000-6005000 Succeeded on n3,n4 from 0',
    'fixed 1: 6010000-13210000 Succeeded on n3 from 0',
    'night 1: 4205000-6005000 Succeeded on n2 from 0',
    'guest 1: 18605000-19815000 Preempted on n1,n2 from 0',
    'guest 2: 21625000-24015000 Succeeded on n1,n2 from 121',
    'show 1: 19820000-21620000 Succeeded on n1,n2 from 0',
  ]);
});
