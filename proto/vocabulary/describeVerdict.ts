import { describeRemedy, listed } from './describeRemedy.ts';
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
    { title: 'That is', text: classWords[verdict.class] },
    { title: 'Position', text: positionText(verdict.position) },
    ...verdict.queues.map((queue, at) => ({ title: at === 0 ? 'Queue' : 'Inside', text: queueText(queue) })),
    { title: 'User', text: userText(verdict.user) },
    ...verdict.rooms.flatMap((room) => roomLines(room, verdict.rooms.length > 1)),
    ...outlookLines(verdict),
    ...verdict.remedies.map((remedy) => ({ title: 'Would start', text: `now ${remedyText(remedy, job)}` })),
    ...displacementLines(verdict),
  ];
}

const classWords = {
  ConfigurationFault: 'a configuration fault: it never starts as it is written and as the cluster is',
  NeedsAction: 'waiting for somebody to do something',
  HonestWait: 'an honest wait: nobody has to do anything',
} as const;

function positionText({ inQueue, inAll, ahead }: Verdict['position']): string {
  const place = `${inQueue.at} of ${inQueue.of} in its queue, ${inAll.at} of ${inAll.of} in all`;
  if (ahead.length === 0) return place;
  const names = ahead.map(({ name, queue, gpus }) => `${name} (${number(gpus)} GPUs, ${queue})`);
  const more = inAll.at - 1 - ahead.length;
  return `${place}; ahead: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function queueText({ name, isHeld, isServing, weight, share, fulfilled, turn, after, quotas }: QueueStanding): string {
  const held = quotas.map(({ model, used, guaranteed, limit }) => {
    const bounds = [...(guaranteed === 0 ? [] : [`guaranteed ${guaranteed}`]), limit === null ? 'no limit' : `limit ${limit}`];
    return `${number(used)} ${model} held (${bounds.join(', ')})`;
  });
  const order = fulfilled < 1 ? `has ${fraction(fulfilled)} of its guarantee` : `share ${fraction(share)} for weight ${weight}`;
  const place =
    turn.of < 2 ? '' : `, turn ${turn.at} of ${turn.of}${after === null ? '' : ` after ${after.name} (${fraction(after.share)})`}`;
  const marks = [...(isHeld ? ['held'] : []), ...(isServing ? ['serving'] : [])].map((mark) => `, ${mark}`).join('');
  return `${name}${marks}: ${[...held, `${order}${place}`].join('; ')}`;
}

function userText({ name, share, running, maxRunning, limits }: UserStanding): string {
  const held = limits.map(
    ({ model, used, limit }: Omit<Quota, 'guaranteed'>) => `${number(used)} ${model} held${limit === null ? '' : ` (limit ${limit})`}`,
  );
  const jobs = `${running} running${maxRunning === null ? '' : ` of at most ${maxRunning}`}`;
  return `${name}: ${[...held, jobs, `share ${fraction(share)}`].join('; ')}`;
}

function roomLines({ model, freeGpus, levels, nodes }: ModelRoom, isOneOfMany: boolean): readonly VerdictLine[] {
  const prefix = isOneOfMany ? `${model ?? 'no GPUs'}: ` : '';
  const all = nodes.reduce((sum, { count }) => sum + count, 0);
  const scattered = nodes.find(({ why }) => why === 'tooFewFree')?.freeGpus ?? 0;
  const free =
    model === null ? '' : ` (${number(freeGpus)} ${model} free${scattered === 0 ? '' : `, ${number(scattered)} of them scattered`})`;
  return [
    { title: 'Levels', text: `${prefix}could hold all of it now: ${levels.map(levelText).join(', ')}` },
    { title: 'Nodes', text: `${prefix}${all}${free}: ${nodes.map(groupText).join(' | ')}` },
  ];
}

function levelText({ level, isRequired, domains, host, best }: LevelRoom): string {
  const mark = isRequired ? ' (wanted)' : '';
  if (level === 'cluster') return host > 0 ? 'the cluster' : `not the cluster (${best} workers fit)`;
  return `${host} of ${domains} ${level}${domains === 1 ? '' : 's'}${mark}${host > 0 ? '' : ` (best holds ${best})`}`;
}

const groupWords = {
  fits: 'would take workers',
  tooFewFree: 'with too few free GPUs',
  full: 'full',
  kept: 'kept for',
  unhealthy: 'with sick GPUs',
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
const named: ReadonlySet<NodeGroup['why']> = new Set(['unhealthy', 'cordoned', 'lost', 'kept']);

function groupText({ why, count, names, details }: NodeGroup): string {
  const words = `${count} ${groupWords[why]}`;
  if (why === 'kept') return `${words} ${listed(details)} (${cut(names, count)})`;
  if (!named.has(why)) return words;
  return `${words} (${details.length === 0 ? '' : `${details.join(', ')}: `}${cut(names, count)})`;
}

const cut = (names: readonly string[], count: number): string =>
  `${names.join(', ')}${count > names.length ? ` and ${count - names.length} more` : ''}`;

function outlookLines({ outlook, wait }: Verdict): readonly VerdictLine[] {
  const { startsByMs, nodes, waitsFor, widensAtMs, targetAtMs } = outlook;
  const where = nodes.length === 0 ? '' : ` on ${listed(nodes)}`;
  const lines: string[] = [];
  if (startsByMs !== null) lines.push(`by ${formatTimestamp(startsByMs)} at the latest${where}${afterText(waitsFor)}`);
  else if (wait.kind === 'WaitingForTarget' || wait.kind === 'WaitingForVictims')
    lines.push(`nobody knows when${where}${afterText(waitsFor)}`);
  else if (wait.kind === 'NotBefore') lines.push(`from ${formatTimestamp(wait.untilMs)} on, if there is room`);
  else if (wait.kind === 'InsufficientGpus' || wait.kind === 'LevelTooSmall')
    lines.push('nobody knows when: too few of those in the way said when they end (maxRuntime, deadline)');
  if (widensAtMs !== null) lines.push(`from ${formatTimestamp(widensAtMs)} on it takes a wider level than the one that it prefers`);
  if (targetAtMs !== null) lines.push(`from ${formatTimestamp(targetAtMs)} on a place is kept for it as it empties`);
  return lines.map((text) => ({ title: 'Starts', text }));
}

function afterText(waitsFor: readonly WaitsFor[]): string {
  if (waitsFor.length === 0) return '';
  const names = waitsFor.map(
    ({ job, state, goneByMs }) => `${job} (${state}${goneByMs === null ? '' : `, gone by ${formatTimestamp(goneByMs)}`})`,
  );
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
    ...(young === 0 || youngUntilMs === null
      ? []
      : [`${young} within their minRuntime (the first until ${formatTimestamp(youngUntilMs)})`]),
  ].join(', ');
  const others = why === '' ? '' : `; the others: ${why}`;
  if (mayAsk === 0) return [{ title: 'Preemption', text: `nobody may be asked to leave for it: of ${running} that run, ${why}` }];
  return [{ title: 'Preemption', text: `${mayAsk} of ${running} that run may be asked to leave, which is not enough${others}` }];
}

const number = (amount: number): string => String(Math.round(amount * 1000) / 1000);
const fraction = (share: number): string => share.toFixed(3);
