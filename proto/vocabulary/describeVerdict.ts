import { counted, describeRemedy, listed } from './describeRemedy.ts';
import { describeWait } from './reasons.ts';
import { formatTimestamp } from './timestamp.ts';
import type { LevelRoom, ModelRoom, NodeGroup, QueueStanding, Quota, UserStanding, Verdict, WaitsFor } from './verdict.ts';

/** One line of the answer to "why does it wait?". A title may come several times. */
export interface VerdictLine {
  readonly title: string;
  readonly text: string;
}

/** The only wording of verdicts: what `shoal why` prints. Lines that would say nothing are left out. */
export function describeVerdict(verdict: Verdict, job: string): readonly VerdictLine[] {
  return [
    { title: 'Why pending', text: `${verdict.wait.kind}: ${describeWait(verdict.wait)}` },
    { title: 'Verdict', text: classWords[verdict.class] },
    { title: 'Position', text: positionText(verdict.position) },
    ...verdict.queues.map((queue, at) => ({ title: at === 0 ? 'Queue' : 'Inside', text: queueText(queue) })),
    { title: 'User', text: userText(verdict.user) },
    ...verdict.rooms.flatMap((room) => roomLines(room, roomPrefix(verdict, room))),
    ...outlookLines(verdict),
    ...verdict.remedies.map((remedy) => ({ title: 'Would start', text: `now ${remedyText(remedy, job)}` })),
    ...displacementLines(verdict),
  ];
}

const classWords = {
  ConfigurationFault: 'configuration fault: it never starts as it is written and as the cluster is',
  NeedsAction: 'needs action: somebody has to do something',
  HonestWait: 'honest wait: nobody has to do anything',
} as const;

function positionText({ inQueue, inAll, ahead }: Verdict['position']): string {
  const place = `${inQueue.at} of ${inQueue.of} in its queue, ${inAll.at} of ${inAll.of} in all`;
  if (ahead.length === 0) return place;
  const names = ahead.map(({ name, queue, gpus }) => `${name} (${number(gpus)} GPUs, ${queue})`);
  const more = inAll.at - 1 - ahead.length;
  return `${place}; ahead: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function queueText({ name, isHeld, isServing, weight, share, compared, fulfilled, turn, after, quotas }: QueueStanding): string {
  const held = quotas.map(({ model, used, guaranteed, limit }) => {
    const bounds = [...(guaranteed === 0 ? [] : [`guaranteed ${guaranteed}`]), limit === null ? 'no limit' : `limit ${limit}`];
    return `${number(used)} ${model} held (${bounds.join(', ')})`;
  });
  const order = [
    `share ${fraction(share)} for weight ${weight}`,
    ...(fulfilled < 1 ? [`has ${fraction(fulfilled)} of its guarantee`] : []),
  ];
  const next = after === null ? '' : `, after ${after.name} with ${fraction(after.compared)}`;
  const place = turn.of < 2 ? [] : [`turn ${turn.at} of ${turn.of}: with half of its next job it has ${fraction(compared)}${next}`];
  const marks = [...(isHeld ? ['held'] : []), ...(isServing ? ['serving'] : [])].map((mark) => `, ${mark}`).join('');
  return `${name}${marks}: ${[...held, ...order, ...place].join('; ')}`;
}

function userText({ name, share, running, maxRunning, limits }: UserStanding): string {
  const held = limits.map(
    ({ model, used, limit }: Omit<Quota, 'guaranteed'>) => `${number(used)} ${model} held${limit === null ? '' : ` (limit ${limit})`}`,
  );
  const jobs = `${running} running${maxRunning === null ? '' : ` of at most ${maxRunning}`}`;
  return `${name}: ${[...held, jobs, `share ${fraction(share)}`].join('; ')}`;
}

function roomPrefix({ rooms, wait }: Verdict, { model }: ModelRoom): string {
  if (wait.kind === 'NoSuchGpuModel' || wait.kind === 'NoSuchGpuProfile') return `${model} (not what it wants): `;
  return rooms.length > 1 ? `${model}: ` : '';
}

function roomLines({ model, freeGpus, levels, nodes }: ModelRoom, prefix: string): readonly VerdictLine[] {
  const all = nodes.reduce((sum, { count }) => sum + count, 0);
  const scattered = nodes.find(({ why }) => why === 'tooFewFree')?.freeGpus ?? 0;
  const free =
    model === null ? '' : ` (${number(freeGpus)} ${model} free${scattered === 0 ? '' : `, ${number(scattered)} of them scattered`})`;
  return [
    { title: 'Levels', text: `${prefix}${levelsText(levels)}` },
    { title: 'Nodes', text: `${prefix}${all}${free}: ${nodes.map(groupText).join(' | ')}` },
  ];
}

function levelsText(levels: readonly LevelRoom[]): string {
  const [cluster, ...inside] = levels;
  const counts = inside.map(({ level, isRequired, domains, host, best }) => {
    const mark = isRequired ? ` (wanted; the best has room for ${counted(best, 'worker')})` : '';
    return `${host} of ${domains} ${level}${domains === 1 ? '' : 's'}${mark}`;
  });
  return `all of it fits now into ${counts.join(', ')}; the cluster has room for ${counted(cluster?.best ?? 0, 'worker')}`;
}

const groupWords = {
  fits: 'would take workers',
  tooFewFree: 'with too few free GPUs',
  full: 'full',
  kept: 'kept for',
  unhealthy: 'with sick GPUs',
  spare: 'spare',
  reserved: 'reserved by',
  cordoned: 'cordoned',
  lost: 'lost',
  exclusive: 'in domains that another job has for itself',
  notEmpty: 'in domains that are not empty',
  cpuOrMemory: 'with too little CPU or memory',
  tooSmall: 'too small',
  otherModel: 'of another model',
  labels: 'without the labels',
  avoided: 'to be avoided',
} as const;

/** Where names help somebody who goes and looks. */
const named: ReadonlySet<NodeGroup['why']> = new Set(['unhealthy', 'spare', 'reserved', 'cordoned', 'lost', 'kept']);

/** What is free there is told in another place, or nothing. */
const isPlain: ReadonlySet<NodeGroup['why']> = new Set(['fits', 'tooFewFree', 'full', 'kept']);

function groupText({ why, detail, count, freeGpus, names }: NodeGroup): string {
  const words = `${count} ${groupWords[why]}`;
  const free = freeGpus === 0 || isPlain.has(why) ? '' : `, ${number(freeGpus)} free ${freeGpus === 1 ? 'GPU' : 'GPUs'}`;
  if (why === 'kept') return `${words} ${detail} (${cut(names, count)})`;
  if (!named.has(why)) return free === '' ? words : `${words} (${free.slice(2)})`;
  return `${words} (${detail === '' ? '' : `${detail}: `}${cut(names, count)}${free})`;
}

const cut = (names: readonly string[], count: number): string =>
  `${names.join(', ')}${count > names.length ? ` and ${count - names.length} more` : ''}`;

function outlookLines({ outlook, wait, class: verdictClass }: Verdict): readonly VerdictLine[] {
  const { startsByMs, nodes, waitsFor, widensAtMs, targetAtMs } = outlook;
  const where = nodes.length === 0 ? '' : ` on ${listed(nodes)}`;
  const lines: string[] = [];
  if (startsByMs !== null) lines.push(`by ${time(startsByMs)} at the latest${where}${afterText(waitsFor)}`);
  else if (wait.kind === 'WaitingForTarget' || wait.kind === 'WaitingForVictims')
    lines.push(`nobody knows when${where}${afterText(waitsFor)}`);
  else if (wait.kind === 'NotBefore') lines.push(`from ${time(wait.untilMs)} on, if there is room`);
  else if (outlook.isBehindPromised) lines.push('no time is promised to it: those ahead of it have the promises that its queue gets');
  else if (verdictClass === 'HonestWait' && (wait.kind === 'InsufficientGpus' || wait.kind === 'LevelTooSmall'))
    lines.push('nobody knows when: too few of those in the way said when they end (maxRuntime, deadline)');
  if (widensAtMs !== null) lines.push(`from ${time(widensAtMs)} on it takes a wider level than the one that it prefers`);
  if (targetAtMs !== null) lines.push(`from ${time(targetAtMs)} on a place is kept for it as it empties`);
  return lines.map((text) => ({ title: 'Starts', text }));
}

function afterText(waitsFor: readonly WaitsFor[]): string {
  if (waitsFor.length === 0) return '';
  const names = waitsFor.map(({ job, state, goneByMs }) => `${job} (${state}${goneByMs === null ? '' : `, gone by ${time(goneByMs)}`})`);
  return `, when ${names.join(', ')} ${waitsFor.length === 1 ? 'has' : 'have'} gone`;
}

function remedyText(remedy: Verdict['remedies'][number], job: string): string {
  const { text, changes, queue, commands } = describeRemedy(remedy, job);
  const fields = changes.map(({ field, value }) => (value === null ? `no ${field}` : `${field}: ${value}`));
  const how = [...fields, ...commands].join(', ');
  return `${text} (${queue === null ? '' : `queue ${queue}: `}${how})`;
}

function displacementLines({ displacement, wait }: Verdict): readonly VerdictLine[] {
  const { running, mayAsk, promised, notPreemptible, notLower, guaranteed, young, youngUntilMs } = displacement;
  const isAsking = wait.kind === 'InsufficientGpus' || wait.kind === 'LevelTooSmall' || wait.kind === 'QueueLimit';
  if (!isAsking || running === 0) return [];
  const why = [
    ...(notLower === 0 ? [] : [`${notLower} rank no lower`]),
    ...(notPreemptible === 0 ? [] : [`${notPreemptible} not preemptible`]),
    ...(guaranteed === 0 ? [] : [`${guaranteed} within a guarantee`]),
    ...(promised === 0 ? [] : [`${promised} where jobs ahead are promised to be`]),
    ...(young === 0 || youngUntilMs === null ? [] : [`${young} within their minRuntime (the first until ${time(youngUntilMs)})`]),
  ].join(', ');
  const others = why === '' ? '' : `; the others: ${why}`;
  if (mayAsk === 0) return [{ title: 'Preemption', text: `nobody may be asked to leave for it: of ${running} that run, ${why}` }];
  return [{ title: 'Preemption', text: `${mayAsk} of ${running} that run may be asked to leave, which is not enough${others}` }];
}

/** Whole seconds, never too early. */
const time = (ms: number): string => formatTimestamp(Math.ceil(ms / 1000) * 1000);
const number = (amount: number): string => String(Math.round(amount * 1000) / 1000);
const fraction = (share: number): string => share.toFixed(3);
