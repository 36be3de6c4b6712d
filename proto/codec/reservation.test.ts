import { toJson } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReservationSpecSchema } from '#gen/shoal/v1/reservation_pb.js';
import { jobName, nodeName, queueName, userName } from '#vocabulary/ids.ts';
import type { NodeChoice, Repeat, ReservationSpec } from '#vocabulary/reservation.ts';
import { compileManifest } from './manifest.ts';
import { reservationSpecToWire } from './reservation.ts';

const manifest = (spec: object) => ({ apiVersion: 'shoal.dev/v1', kind: 'Reservation', metadata: { name: 'a' }, spec });
const mend = { kind: 'maintenance', nodes: { names: ['n1'] }, start: '2026-12-01T02:00:00+01:00', duration: '4h' };

function compiled(spec: object): ReservationSpec {
  const result = compileManifest(manifest(spec));
  if (!result.ok || result.kind !== 'Reservation') throw new Error(JSON.stringify(result));
  return result.spec;
}

function problems(spec: object): readonly string[] {
  const result = compileManifest(manifest(spec));
  return result.ok ? [] : result.problems.map(({ field, message }) => `${field}: ${message}`);
}

test('a manifest becomes a spec with its defaults', () => {
  expect(compiled(mend)).toEqual({
    purpose: 'maintenance',
    reason: '',
    nodes: { kind: 'names', names: ['n1'] },
    users: [],
    queues: [],
    jobs: [],
    startMs: Date.UTC(2026, 11, 1, 1),
    durationMs: 4 * 3_600_000,
    repeat: null,
    drain: 'suspend',
    lend: false,
  });
});

test('an end is as good as a duration', () => {
  const { duration: _, ...rest } = mend;
  expect(compiled({ ...rest, end: '2026-12-01T05:00:00Z' })).toEqual(compiled(mend));
});

describe('a spec that cannot be meant is refused', () => {
  const { duration: _duration, ...endless } = mend;
  const { start: _start, ...now } = mend;
  const { start: _alsoStart, ...never } = endless;
  test.each<[object, readonly string[]]>([
    [{ ...mend, kind: 'use' }, ['spec.users: required with spec.kind use, but not given; allowed: at least one of users, queues and jobs']],
    [
      { ...mend, users: ['alice'], lend: true },
      [
        'spec.users: nobody runs on nodes in maintenance; leave it out, or take spec.kind use',
        'spec.lend: true is not allowed with spec.kind maintenance: nobody runs there',
      ],
    ],
    [{ ...mend, kind: 'use', users: ['a', 'a'] }, ['spec.users[1]: "a" is given twice; first in spec.users[0]']],
    [{ ...mend, nodes: {} }, ['spec.nodes: none of names, domains, labels and count are given; allowed: exactly one of them']],
    [
      { ...mend, nodes: { names: ['n1'], labels: { a: 'b' } } },
      ['spec.nodes: 2 of names, domains, labels and count are given; allowed: exactly one of them'],
    ],
    [{ ...mend, nodes: { domains: ['r3'] } }, ['spec.nodes.domains[0]: "r3" is not allowed; allowed: a level and a name such as rack/r3']],
    [{ ...mend, nodes: { count: {} } }, ['spec.nodes.count: neither of nodes and gpus are given; allowed: exactly one of them']],
    [endless, ['spec.duration: neither of duration and end are given; allowed: exactly one of them']],
    [{ ...mend, end: '2026-12-02T00:00:00Z' }, ['spec.duration: both of duration and end are given; allowed: exactly one of them']],
    [{ ...endless, end: '2026-12-01T01:00:00Z' }, ['spec.end: "2026-12-01T01:00:00Z" is not after spec.start 2026-12-01T02:00:00+01:00']],
    [{ ...never, end: '2026-12-01T01:00:00Z' }, ['spec.end: wants spec.start; without a start give spec.duration']],
    [{ ...mend, duration: '400d' }, ['spec.duration: "400d" is out of range; allowed: more than 0s and at most 366d']],
    [{ ...mend, repeat: {} }, ['spec.repeat: neither of every and cron are given; allowed: exactly one of them']],
    [
      { ...now, repeat: { every: 'day' } },
      ['spec.start: required with spec.repeat.every, but not given; allowed: a time with its offset such as 2026-11-25T10:00:00Z'],
    ],
    [
      { ...mend, repeat: { every: 'day', timeZone: 'Europe/Berln' } },
      ['spec.repeat.timeZone: "Europe/Berln" is not known; allowed: a name such as Europe/Berlin or UTC; did you mean Europe/Berlin?'],
    ],
    [
      { ...mend, repeat: { every: 'day', until: '2026-12-01T00:00:00Z' } },
      ['spec.repeat.until: "2026-12-01T00:00:00Z" is not after spec.start'],
    ],
    [{ ...mend, nods: 1 }, ['spec.nods: unknown field `nods`; did you mean `nodes`?']],
  ])('%j', (spec, want) => {
    expect(problems(spec)).toEqual(want);
  });
});

test('a spec that is printed compiles to itself', () => {
  const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,10}[a-z0-9])?$/);
  const names = fc.uniqueArray(name, { minLength: 1, maxLength: 4 });
  const ms = fc.integer({ min: 1, max: 4e12 });
  const nodes: fc.Arbitrary<NodeChoice> = fc.oneof(
    names.map((list): NodeChoice => ({ kind: 'names', names: list.map(nodeName) })),
    names.map((list): NodeChoice => ({ kind: 'domains', domains: list.map((one) => `rack/${one}`) })),
    fc
      .dictionary(fc.constantFrom('pool', 'example.org/team'), name, { minKeys: 1 })
      .map((labels): NodeChoice => ({ kind: 'labels', labels })),
    fc
      .tuple(
        fc.constantFrom('nodes' as const, 'gpus' as const),
        fc.integer({ min: 1, max: 1_000 }),
        fc.option(fc.constant('H100')),
        fc.option(fc.constant('rack')),
      )
      .map(([of, amount, model, level]): NodeChoice => ({ kind: 'count', of, amount, model, level })),
  );
  const timeZone = fc.constantFrom('UTC', 'Europe/Berlin');
  const repeat: fc.Arbitrary<Repeat> = fc.oneof(
    fc
      .tuple(fc.constantFrom(1 as const, 7 as const), timeZone)
      .map(([days, zone]): Repeat => ({ kind: 'days', days, timeZone: zone, untilMs: null })),
    timeZone.map((zone): Repeat => ({ kind: 'cron', line: '30 2 * * 6', timeZone: zone, untilMs: 5e12 })),
  );
  const anySpec = fc.record({
    nodes,
    repeat: fc.option(repeat),
    named: fc.option(fc.record({ users: names, queues: names, jobs: names, lend: fc.boolean() })),
    startMs: ms,
    durationMs: fc.integer({ min: 1, max: 1e10 }),
    drain: fc.constantFrom('suspend' as const, 'runtime' as const),
  });
  fc.assert(
    fc.property(anySpec, ({ named, ...rest }) => {
      const spec: ReservationSpec = {
        purpose: named === null ? 'maintenance' : 'use',
        reason: 'x',
        users: (named?.users ?? []).map(userName),
        queues: (named?.queues ?? []).map(queueName),
        jobs: (named?.jobs ?? []).map(jobName),
        lend: named?.lend ?? false,
        ...rest,
      };
      expect(compiled(toJson(ReservationSpecSchema, reservationSpecToWire(spec)) as object)).toEqual(spec);
    }),
  );
});
