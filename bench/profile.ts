import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Where the controller's main thread spent a stretch of time, by the rooms of the repository: from the CPU profile that Node
 * writes when the process ends. A sample counts for the innermost of our files on its stack, so what Node or grpc-js does
 * for a room is that room's. Time in which the system let others run counts for the room that had to wait.
 */
export interface Profiler {
  /** For the process to be profiled; sampling slows it by about a tenth. */
  readonly nodeFlags: readonly string[];
  /** Begins the one stretch that counts; the function that it returns ends it. */
  begin(): () => void;
  /** After the process ended: milliseconds by room, the most first. `idle` waits for the store's thread and the clients. */
  read(): Promise<ReadonlyMap<string, number>>;
}

export async function makeProfiler(): Promise<Profiler> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-profile-'));
  const stretch = { fromUs: Number.POSITIVE_INFINITY, toUs: Number.POSITIVE_INFINITY };
  return {
    nodeFlags: ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${folder}`],
    begin: () => {
      stretch.fromUs = nowUs();
      return () => {
        stretch.toUs = nowUs();
      };
    },
    read: async () => {
      const [file = ''] = (await readdir(folder)).sort();
      const profile = parseProfile(JSON.parse(await readFile(join(folder, file), 'utf8')));
      await rm(folder, { recursive: true, force: true });
      return timeByRoom(profile, stretch);
    },
  };
}

/** Of the clock that the profile uses too (CLOCK_MONOTONIC). */
const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n);

interface ProfileNode {
  readonly id: number;
  readonly room: string | null;
  readonly children: readonly number[];
}

interface Profile {
  readonly startUs: number;
  readonly nodes: readonly ProfileNode[];
  /** Which node each sample saw, and the microseconds since the sample before. */
  readonly samples: readonly number[];
  readonly deltasUs: readonly number[];
}

function timeByRoom(profile: Profile, stretch: { readonly fromUs: number; readonly toUs: number }): ReadonlyMap<string, number> {
  const rooms = roomsOf(profile.nodes);
  const times = new Map<string, number>();
  let atUs = profile.startUs;
  for (const [index, id] of profile.samples.entries()) {
    const us = profile.deltasUs[index] ?? 0;
    atUs += us;
    if (atUs < stretch.fromUs || atUs > stretch.toUs) continue;
    const room = rooms.get(id) ?? 'other';
    times.set(room, (times.get(room) ?? 0) + us / 1000);
  }
  return new Map([...times].sort(([, left], [, right]) => right - left));
}

/** Of each node, its own room or that of the nearest caller that has one. */
function roomsOf(nodes: readonly ProfileNode[]): ReadonlyMap<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const rooms = new Map<number, string>();
  const [root] = nodes;
  const open = root === undefined ? [] : [{ node: root, inherited: 'other' }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const room = next.node.room ?? next.inherited;
    rooms.set(next.node.id, room);
    for (const id of next.node.children) {
      const node = byId.get(id);
      if (node !== undefined) open.push({ node, inherited: room });
    }
  }
  return rooms;
}

/** The first that matches a file names its room. */
const roomOfFile: readonly (readonly [pattern: RegExp, room: string])[] = [
  [/[/]controller[/]core[/]/, 'step'],
  [/[/]controller[/](?:loop[/]logLine|adapters[/]sqlite)/, 'commit'],
  [/[/]controller[/](?:loop|main)/, 'loop and push'],
  [/[/]proto[/]codec[/]|[/]controller[/]api[/]apply/, 'codec'],
  [/[/]controller[/]api[/]|[/]proto[/]rpc[/]|@bufbuild|@grpc/, 'wire'],
];

function roomOf(functionName: string, url: string): string | null {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage';
  return roomOfFile.find(([pattern]) => pattern.test(url))?.[1] ?? null;
}

/** Throws when it is not a CPU profile of V8. */
function parseProfile(value: unknown): Profile {
  const { startTime, nodes, samples, timeDeltas } = recordOf(value);
  return {
    startUs: Number(startTime),
    nodes: listOf(nodes).map(parseNode),
    samples: listOf(samples).map(Number),
    deltasUs: listOf(timeDeltas).map(Number),
  };
}

function parseNode(value: unknown): ProfileNode {
  const { id, callFrame, children } = recordOf(value);
  const { functionName, url } = recordOf(callFrame);
  return {
    id: Number(id),
    room: roomOf(String(functionName), String(url)),
    children: children === undefined ? [] : listOf(children).map(Number),
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new Error('not a CPU profile: an object is missing');
  return Object.fromEntries(Object.entries(value));
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('not a CPU profile: a list is missing');
  return value;
}
