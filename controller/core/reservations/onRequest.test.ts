import { beforeEach, describe, expect, test } from 'vitest';
import { applyJob, applyQueue, FakeCluster, onNodes, reserve } from '#test/simulation/fakeCluster.ts';
import { jobName, queueName, reservationName, userName } from '#vocabulary/ids.ts';
import type { ReservationSpec } from '#vocabulary/reservation.ts';
import { parseTimestampMs } from '#vocabulary/timestamp.ts';
import type { Reply } from '../inputs.ts';

let cluster: FakeCluster;

/** The clock is at 1,000 s: 1970-01-01T00:16:40Z. */
beforeEach(() => {
  cluster = new FakeCluster([
    { name: 'n1', rack: 'r1', gpus: 2, labels: { pool: 'old' } },
    { name: 'n2', rack: 'r1', gpus: 2 },
    { name: 'n3', rack: 'r1', gpus: 4, block: 'b2', model: 'H200' },
  ]);
});

function apply(name: string, wanted: Parameters<typeof reserve>[1]): string {
  return say(cluster.step([reserve(name, wanted)])[0]);
}

function say(reply: Reply | undefined): string {
  if (reply?.kind === 'refused') return `${reply.code} ${reply.field}: ${reply.message}`;
  return reply?.kind === 'applied' ? reply.outcome : (reply?.kind ?? '');
}

const op = userName('op');
const hour = { start: 4_600, duration: 3_600 };
const count = (changes: object): ReservationSpec['nodes'] => ({
  kind: 'count',
  of: 'nodes',
  amount: 1,
  model: null,
  level: null,
  ...changes,
});
const repeat = (line: string) => ({ kind: 'cron', line, timeZone: 'UTC', untilMs: null }) as const;

describe('a reservation', () => {
  test('is created, changed, left as it is, and deleted', () => {
    expect(apply('a', { ...hour, nodes: onNodes('n1') })).toBe('created');
    expect(apply('a', { ...hour, nodes: onNodes('n1') })).toBe('unchanged');
    expect(apply('a', { ...hour, nodes: onNodes('n1', 'n2') })).toBe('configured');
    const remove = (name: string) => say(cluster.step([{ kind: 'deleteReservation', name: reservationName(name), user: op }])[0]);
    expect(remove('b')).toBe('NOT_FOUND : reservations "b" not found; did you mean "a"?');
    expect(remove('a')).toBe('changed');
    expect([...cluster.view.reservations]).toEqual([]);
  });

  test.each<[string, Parameters<typeof reserve>[1], string]>([
    [
      'that begins in the past',
      { nodes: onNodes('n1'), start: 999, duration: 60 },
      'spec.start: 1970-01-01T00:16:39Z is in the past: it is 1970-01-01T00:16:40Z; leave it out to begin now',
    ],
    [
      'on a node that is not there',
      { ...hour, nodes: onNodes('n1', 'n4') },
      'spec.nodes.names[1]: node "n4" does not exist; did you mean "n1"?',
    ],
    [
      'of a queue that is not there',
      { ...hour, nodes: onNodes('n1'), queues: [queueName('defalt')] },
      'spec.queues[0]: queue "defalt" does not exist; did you mean "default"?',
    ],
    [
      'of a level that is not there',
      { ...hour, nodes: { kind: 'domains', domains: ['rak/r1'] } },
      'spec.nodes.domains[0]: level "rak" is not one of this cluster\'s: zone, block, rack, node; did you mean "rack"?',
    ],
    [
      'of a domain that is not there',
      { ...hour, nodes: { kind: 'domains', domains: ['block/b3'] } },
      'spec.nodes.domains[0]: "block/b3" does not exist; did you mean "block/b1"?',
    ],
    [
      'of a domain that is more than one',
      { ...hour, nodes: { kind: 'domains', domains: ['rack/r1'] } },
      'spec.nodes.domains[0]: "rack/r1" is more than one: rack/z1/b1/r1, rack/z1/b2/r1; name which',
    ],
    [
      'of labels that no node has',
      { ...hour, nodes: { kind: 'labels', labels: { pool: 'new' } } },
      'spec.nodes.labels: no node has pool=new',
    ],
    [
      'of GPUs without a model where there are several',
      { ...hour, nodes: count({}) },
      'spec.nodes.count.gpuModel: required, but not given: the cluster has H100, H200',
    ],
    [
      'of a model that is not there',
      { ...hour, nodes: count({ model: 'H20' }) },
      'spec.nodes.count.gpuModel: no node has GPUs of model "H20"; the cluster has H100, H200; did you mean "H200"?',
    ],
    [
      'of more than there is',
      { ...hour, nodes: count({ model: 'H100', of: 'gpus', amount: 5, level: 'rack' }) },
      'spec.nodes.count.gpus: 5 gpus of H100 wanted inside one rack; the best rack has 4 on nodes that take work and are in no other reservation at the time',
    ],
    [
      'that never comes',
      { duration: 60, nodes: onNodes('n1'), repeat: repeat('0 0 30 2 *') },
      'spec.repeat: no occurrence of it is still to come',
    ],
    [
      'that comes again before it is over',
      { duration: 7_201, nodes: onNodes('n1'), repeat: repeat('0 */2 * * *') },
      'spec.duration: 7201s is more than there is between two occurrences: 1970-01-01T02:00:00Z and 1970-01-01T04:00:00Z',
    ],
  ])('%s is refused, and nothing changes', (_what, wanted, want) => {
    expect(apply('a', wanted)).toBe(`INVALID_ARGUMENT ${want}`);
    expect([...cluster.view.reservations]).toEqual([]);
  });

  test('may name a part of the path where one name is not enough', () => {
    expect(apply('a', { ...hour, nodes: { kind: 'domains', domains: ['rack/b2/r1'] } })).toBe('created');
    cluster.nowMs = 4_600_000;
    cluster.step([{ kind: 'tick' }]);
    expect([...cluster.view.nodes.values()].map(({ name, reserved }) => [name, reserved?.name])).toEqual([
      ['n1', undefined],
      ['n2', undefined],
      ['n3', 'a'],
    ]);
  });

  test('of users is taken only for those who have a token or a job, where anybody has a token', () => {
    const wanted = { ...hour, nodes: onNodes('n1'), users: [userName('alcie')] };
    expect(apply('a', wanted)).toBe('created');
    const token = { id: 't', purpose: 'user', secretHash: '', user: userName('alice'), expiresAtMs: null } as const;
    cluster.step([{ kind: 'issueToken', token }]);
    expect(apply('b', { ...wanted, nodes: onNodes('n2') })).toBe(
      'INVALID_ARGUMENT spec.users[0]: user "alcie" has no token and no job; did you mean "alice"?',
    );
    expect(apply('b', { ...wanted, nodes: onNodes('n2'), users: [userName('alice')], jobs: [jobName('not-yet')] })).toBe('created');
  });

  test('is kept from being more than so many', () => {
    cluster = new FakeCluster([{ name: 'n1', rack: 'r1', gpus: 1 }], { reservationObjectsMax: 2 });
    const nth = (index: number) => apply(`r${index}`, { start: 2_000 + index * 100, duration: 50, nodes: onNodes('n1') });
    expect([nth(0), nth(1), nth(2)]).toEqual([
      'created',
      'created',
      'RESOURCE_EXHAUSTED : the cluster keeps at most 2 reservations that are not over; delete some',
    ]);
    cluster.sleep(1_051_000);
    expect(nth(2)).toBe('created');
  });

  test('that is over is forgotten when there are many newer ones', () => {
    for (let index = 0; index < 40; index += 1) {
      apply(`r${index}`, { duration: 10, nodes: onNodes('n1') });
      cluster.sleep(11_000);
    }
    expect(cluster.view.reservations.size).toBe(32);
    expect(cluster.view.reservations.has(reservationName('r39'))).toBe(true);
  });
});

describe('two reservations', () => {
  const at = (text: string): number => (parseTimestampMs(text) ?? 0) / 1_000;

  test('of one node at one time are refused, whoever comes first; one after the other are taken', () => {
    apply('a', { ...hour, nodes: onNodes('n1', 'n2') });
    expect(apply('b', { start: 8_199, duration: 60, nodes: { kind: 'labels', labels: { pool: 'old' } } })).toBe(
      'INVALID_ARGUMENT spec.nodes.labels: reservation a has n1 at the same time, from 1970-01-01T01:16:40Z until 1970-01-01T02:16:40Z',
    );
    expect(apply('b', { start: 4_000, duration: 601, nodes: onNodes('n1') })).toContain('reservation a has n1 at the same time');
    expect(apply('b', { start: 4_000, duration: 600, nodes: onNodes('n1') })).toBe('created');
    expect(apply('c', { start: 8_200, duration: 600, nodes: onNodes('n1') })).toBe('created');
    expect(apply('d', { ...hour, nodes: onNodes('n3') })).toBe('created');
  });

  test('are compared with all times at which they come', () => {
    const weekly = { duration: 3_600, nodes: onNodes('n1'), repeat: repeat('0 22 * * 5') };
    apply('weekly', weekly);
    // The 30th of January 1970 is a Friday.
    expect(apply('once', { start: at('1970-01-30T22:59:59Z'), duration: 60, nodes: onNodes('n1') })).toBe(
      'INVALID_ARGUMENT spec.nodes.names: reservation weekly has n1 at the same time, from 1970-01-30T22:00:00Z until 1970-01-30T23:00:00Z',
    );
    expect(apply('once', { start: at('1970-01-30T23:00:00Z'), duration: 60, nodes: onNodes('n1') })).toBe('created');
    expect(apply('monthly', { duration: 60, nodes: onNodes('n1'), repeat: repeat('30 22 13 * *') })).toBe(
      'INVALID_ARGUMENT spec.nodes.names: reservation weekly has n1 at the same time, from 1970-02-13T22:00:00Z until 1970-02-13T23:00:00Z',
    );
  });

  test('may take the place of one that is over', () => {
    apply('a', { duration: 60, nodes: onNodes('n1') });
    cluster.sleep(60_000);
    expect(apply('b', { duration: 60, nodes: onNodes('n1') })).toBe('created');
  });
});

describe('what a reservation is about', () => {
  test('a queue that it names cannot be deleted', () => {
    cluster.step([applyQueue('vision')]);
    apply('a', { ...hour, nodes: onNodes('n1'), queues: [queueName('vision')] });
    expect(say(cluster.step([{ kind: 'deleteQueue', name: queueName('vision') }])[0])).toBe(
      'FAILED_PRECONDITION : queue vision is named by reservation a',
    );
  });

  test('a node in maintenance cannot be uncordoned, and a cordon of its own outlives the maintenance', () => {
    apply('a', { duration: 60, nodes: onNodes('n1') });
    const { name: node } = cluster.agent('n1');
    expect(say(cluster.step([{ kind: 'uncordonNode', node, user: op }])[0])).toBe(
      'FAILED_PRECONDITION : node n1 is kept by reservation a, not by a cordon; delete the reservation, or apply it without the node',
    );
    cluster.step([{ kind: 'cordonNode', node, user: op, reason: 'disk', drain: false }]);
    cluster.sleep(60_000);
    expect(cluster.view.nodes.get(node)).toMatchObject({ cordon: { reason: 'disk' }, reserved: null });
  });

  test('a job is not put there by hand', () => {
    apply('a', { duration: 60, nodes: onNodes('n1', 'n2', 'n3') });
    cluster.step([applyJob('x')]);
    const places = [{ node: cluster.agent('n1').name, workers: 1 }];
    expect(say(cluster.step([{ kind: 'placeJob', name: jobName('x'), places }])[0])).toBe(
      'FAILED_PRECONDITION place: n1 is kept by reservation a',
    );
  });
});
