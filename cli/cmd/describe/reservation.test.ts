import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeBench, type Bench } from '../../testing/commandLine.ts';
import { at } from '../../testing/objects.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await makeBench();
});
afterAll(() => bench.close());

test('a reservation says when, where and for whom it is, and what becomes of each job that is there', async () => {
  bench.server.canned.resources = [
    {
      object: {
        case: 'reservation',
        value: {
          apiVersion: 'shoal.dev/v1',
          kind: 'Reservation',
          metadata: { name: 'demo', creationTimestamp: at('09:00:00') },
          spec: {
            kind: 'use',
            nodes: { count: { gpus: 16, gpuModel: 'H800', level: 'rack' } },
            users: ['ada'],
            jobs: ['v3'],
            duration: '2h',
            repeat: { every: 'week', timeZone: 'Europe/Berlin' },
            drain: 'suspend',
            lend: true,
          },
          status: {
            state: 'Active',
            start: at('11:00:00'),
            end: at('13:00:00'),
            upcoming: [at('18:00:00')],
            nodes: ['n1', 'n2'],
            gpus: 16,
            gpusUsed: 9,
            unused: '25200000000',
            createdBy: 'op',
            jobs: [
              { job: 'a', user: 'ada', fate: 'Entitled' },
              { job: 'b', user: 'bob', fate: 'Guest' },
              { job: 'c', user: 'bob', fate: 'EndsBefore', at: at('10:59:00') },
              { job: 'd', user: 'bob', fate: 'ToLeave', at: at('10:58:00') },
              { job: 'e', user: 'bob', fate: 'Leaving' },
            ],
          },
        },
      },
    },
  ];
  const { stdout, code } = await bench.shoal(['describe', 'rsv', 'demo']);
  expect(code).toBe(0);
  expect(stdout).toBe(`Name:        demo
Labels:      <none>
Created:     2026-11-23T09:00:00Z by op
Kind:        use
Reason:      <none>
Status:      Active
From:        2026-11-23T11:00:00Z
Until:       2026-11-23T13:00:00Z
Repeats:     every week for 2h, Europe/Berlin
Then:        2026-11-23T18:00:00Z
Users:       ada
Queues:      <none>
For jobs:    v3
Lent:        yes: preemptible jobs use what is free
Drain:       suspend
Asked for:   16 GPUs of H800 in one rack
Nodes:       n1, n2
GPUs:        9 of 16 held
Unused:      7.0 GPU-hours
Jobs on its nodes:
  Job   User   What becomes of it
  a     ada    stays: it is reserved for it
  b     bob    stays until somebody wants it for whom it is reserved
  c     bob    ends before, by 2026-11-23T10:59:00Z
  d     bob    is asked to leave at 2026-11-23T10:58:00Z
  e     bob    is leaving
Events:      <none>
`);
});

test('a reservation is printed as it is applied', async () => {
  const { stdout } = await bench.shoal(['get', 'reservation', 'demo', '-o', 'yaml']);
  expect(stdout).toContain('kind: Reservation');
  expect(stdout).toContain('timeZone: Europe/Berlin');
});
