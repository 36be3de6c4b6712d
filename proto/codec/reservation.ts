/** A decoded Reservation ↔ the `ReservationSpec` that the core works with. */
import { fromJson, type JsonObject } from '@bufbuild/protobuf';
import {
  ReservationSpecSchema,
  type NodeCount as WireNodeCount,
  type Repeat as WireRepeat,
  type Reservation,
  type ReservationSpec as WireReservationSpec,
  type ReservedNodes,
} from '#gen/shoal/v1/reservation_pb.js';
import { didYouMean } from '#vocabulary/didYouMean.ts';
import { jobName, nodeName, queueName, reservationName, userName, type ReservationName } from '#vocabulary/ids.ts';
import type { NodeChoice, Repeat, ReservationSpec } from '#vocabulary/reservation.ts';
import { formatTimestamp, parseTimestampMs } from '#vocabulary/timestamp.ts';
import { formatDuration } from '#vocabulary/units.ts';
import { isTimeZone, timeZones } from '#vocabulary/wallClock.ts';
import type { CompileResult } from './compiled.ts';
import { durationMs as readDuration } from './durationField.ts';
import { itemPath } from './fieldPath.ts';
import { excerpt, Problems } from './fieldProblem.ts';
import { judgeDistinct } from './judgeDistinct.ts';
import { textFormats } from './textFormat.ts';

/** Longer ones are a way to say that a node is away: cordon it. */
const durationMsMax = 366 * 24 * 3_600_000;

export function compileReservation(message: Reservation): CompileResult<ReservationName, ReservationSpec> {
  const problems = new Problems();
  const { metadata, spec } = message;
  if (metadata === undefined || spec === undefined)
    return { ok: false, problems: [{ field: '', message: 'metadata and spec are required' }] };
  const purpose = spec.kind === 'maintenance' ? 'maintenance' : 'use';
  judgeWho(purpose, spec, problems);
  const nodes = compileNodes(spec.nodes, problems);
  const startMs = parseTimestampMs(spec.start) ?? null;
  const durationMs = compileLength(spec, startMs, problems);
  const repeat = spec.repeat === undefined ? null : compileRepeat(spec.repeat, startMs, problems);
  if (problems.found.length > 0 || nodes === null) return { ok: false, problems: problems.found };
  return {
    ok: true,
    name: reservationName(metadata.name),
    labels: metadata.labels,
    annotations: metadata.annotations,
    spec: {
      purpose,
      reason: spec.reason,
      nodes,
      users: spec.users.map(userName),
      queues: spec.queues.map(queueName),
      jobs: spec.jobs.map(jobName),
      startMs,
      durationMs,
      repeat,
      drain: spec.drain === 'runtime' ? 'runtime' : 'suspend',
      lend: spec.lend,
    },
    warnings: [],
  };
}

function judgeWho(purpose: ReservationSpec['purpose'], spec: WireReservationSpec, problems: Problems): void {
  const { users, queues, jobs } = spec;
  for (const [path, names] of Object.entries({ users, queues, jobs })) {
    judgeDistinct(`spec.${path}`, names, problems, itemPath);
    if (purpose === 'maintenance' && names.length > 0)
      problems.add(`spec.${path}`, `nobody runs on nodes in maintenance; leave it out, or take spec.kind use`);
    for (const [index, name] of names.entries())
      if (name === '') problems.add(itemPath(`spec.${path}`, index), 'is empty; allowed: a name');
  }
  if (purpose === 'maintenance' && spec.lend)
    problems.add('spec.lend', 'true is not allowed with spec.kind maintenance: nobody runs there');
  if (purpose === 'use' && users.length + queues.length + jobs.length === 0)
    problems.add('spec.users', 'required with spec.kind use, but not given; allowed: at least one of users, queues and jobs');
}

/** null: there is a problem, and it is told. */
function compileNodes(nodes: ReservedNodes | undefined, problems: Problems): NodeChoice | null {
  const { names = [], domains = [], labels = {}, count } = nodes ?? {};
  const hasLabels = Object.keys(labels).length > 0;
  const given = [names.length > 0, domains.length > 0, hasLabels, count !== undefined].filter(Boolean).length;
  if (given !== 1) {
    problems.add(
      'spec.nodes',
      `${given === 0 ? 'none' : given} of names, domains, labels and count are given; allowed: exactly one of them`,
    );
    return null;
  }
  judgeDistinct('spec.nodes.names', names, problems, itemPath);
  judgeDistinct('spec.nodes.domains', domains, problems, itemPath);
  for (const [index, domain] of domains.entries()) {
    if (!/^[^/]+(\/[^/]+)+$/.test(domain))
      problems.add(itemPath('spec.nodes.domains', index), `${excerpt(domain)} is not allowed; allowed: a level and a name such as rack/r3`);
  }
  if (count !== undefined) return compileCount(count, problems);
  if (names.length > 0) return { kind: 'names', names: names.map(nodeName) };
  return domains.length > 0 ? { kind: 'domains', domains } : { kind: 'labels', labels };
}

function compileCount({ nodes, gpus, gpuModel, level }: WireNodeCount, problems: Problems): NodeChoice | null {
  if ((nodes === undefined) === (gpus === undefined)) {
    problems.add(
      'spec.nodes.count',
      `${nodes === undefined ? 'neither' : 'both'} of nodes and gpus are given; allowed: exactly one of them`,
    );
    return null;
  }
  const amount = nodes === undefined ? { of: 'gpus' as const, amount: gpus ?? 0 } : { of: 'nodes' as const, amount: nodes };
  return { kind: 'count', ...amount, model: gpuModel === '' ? null : gpuModel, level: level === '' ? null : level };
}

/** 0: there is a problem, and it is told. */
function compileLength(spec: WireReservationSpec, startMs: number | null, problems: Problems): number {
  const { duration, end, repeat } = spec;
  if ((duration === '') === (end === '')) {
    problems.add('spec.duration', `${duration === '' ? 'neither' : 'both'} of duration and end are given; allowed: exactly one of them`);
    return 0;
  }
  if (duration !== '') return readDuration(duration, 'spec.duration', { minMs: 1, maxMs: durationMsMax }, problems) ?? 0;
  if (repeat !== undefined) problems.add('spec.end', 'is not allowed with spec.repeat, which wants spec.duration');
  if (startMs === null) {
    problems.add('spec.end', 'wants spec.start; without a start give spec.duration');
    return 0;
  }
  const lengthMs = (parseTimestampMs(end) ?? 0) - startMs;
  if (lengthMs <= 0) problems.add('spec.end', `${excerpt(end)} is not after spec.start ${spec.start}`);
  else if (lengthMs > durationMsMax)
    problems.add('spec.end', `${excerpt(end)} is more than ${formatDuration(durationMsMax)} after spec.start ${spec.start}`);
  return lengthMs;
}

function compileRepeat({ every, cron, timeZone, until }: WireRepeat, startMs: number | null, problems: Problems): Repeat | null {
  const path = 'spec.repeat';
  if ((every === '') === (cron === ''))
    problems.add(path, `${every === '' ? 'neither' : 'both'} of every and cron are given; allowed: exactly one of them`);
  if (every !== '' && startMs === null)
    problems.add('spec.start', `required with ${path}.every, but not given; allowed: ${textFormats.timestamp.allowed}`);
  if (timeZone !== '' && !isTimeZone(timeZone)) {
    const meant = didYouMean(timeZone, timeZones());
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    problems.add(`${path}.timeZone`, `${excerpt(timeZone)} is not known; allowed: a name such as Europe/Berlin or UTC${hint}`);
  }
  const untilMs = parseTimestampMs(until) ?? null;
  if (untilMs !== null && startMs !== null && untilMs <= startMs)
    problems.add(`${path}.until`, `${excerpt(until)} is not after spec.start`);
  const zone = timeZone === '' ? 'UTC' : timeZone;
  if (cron !== '') return { kind: 'cron', line: cron, timeZone: zone, untilMs };
  return { kind: 'days', days: every === 'week' ? 7 : 1, timeZone: zone, untilMs };
}

/** The spec as a manifest would have it; compiles to the same spec again. */
export function reservationSpecToWire(spec: ReservationSpec): WireReservationSpec {
  const { purpose, reason, users, queues, jobs, startMs, durationMs, repeat, drain, lend } = spec;
  const json: JsonObject = {
    kind: purpose,
    ...(reason === '' ? {} : { reason }),
    nodes: nodesToJson(spec.nodes),
    users: [...users],
    queues: [...queues],
    jobs: [...jobs],
    ...(startMs === null ? {} : { start: formatTimestamp(startMs) }),
    duration: formatDuration(durationMs),
    ...(repeat === null ? {} : { repeat: repeatToJson(repeat) }),
    drain,
    ...(lend ? { lend } : {}),
  };
  return fromJson(ReservationSpecSchema, json);
}

function nodesToJson(nodes: NodeChoice): JsonObject {
  switch (nodes.kind) {
    case 'names':
      return { names: [...nodes.names] };
    case 'domains':
      return { domains: [...nodes.domains] };
    case 'labels':
      return { labels: { ...nodes.labels } };
    case 'count': {
      const { of, amount, model, level } = nodes;
      return { count: { [of]: amount, ...(model === null ? {} : { gpuModel: model }), ...(level === null ? {} : { level }) } };
    }
  }
}

function repeatToJson(repeat: Repeat): JsonObject {
  const { timeZone, untilMs } = repeat;
  return {
    ...(repeat.kind === 'cron' ? { cron: repeat.line } : { every: repeat.days === 7 ? 'week' : 'day' }),
    timeZone,
    ...(untilMs === null ? {} : { until: formatTimestamp(untilMs) }),
  };
}
