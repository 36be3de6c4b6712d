import { createHash } from 'node:crypto';
import { access, mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, readIfThere } from './workerFiles.ts';

/**
 * One cgroup a worker, where the machine lets us make one: it bounds memory and CPU, and it is the only list of a
 * worker's processes from which none can take itself off. Nothing is ever mounted.
 *
 * v2 in the field. v1 as far as it goes: the memory controller holds every worker (freezer or pids where that one is
 * closed), the cpu controller those with a limit. Each join costs some 10 ms on v1 and v2 alike (moving a process
 * between cgroups waits for an RCU grace period; measured 7..19 ms on Linux 6.18), so there is none for its own sake.
 */
export interface Cgroups {
  readonly version: 'v1' | 'v2';
  /** What a limit needs and this machine lacks, in a sentence each. */
  readonly gaps: readonly string[];
  /** Where the worker's cgroups are; they need not exist yet. */
  foldersOf(name: string, limits: WorkerLimits): readonly string[];
  /** Makes them with their limits; again is no error. */
  make(name: string, limits: WorkerLimits): Promise<void>;
}

export interface WorkerLimits {
  /** Quota in thousandths of a CPU. */
  readonly cpuMilli: number | null;
  readonly memoryBytes: number | null;
}

/** Where cgroups are seen; tests name others. */
export interface CgroupPlaces {
  /** Usually /sys/fs/cgroup. */
  readonly mount: string;
  /** Usually /proc/self/cgroup. */
  readonly own: string;
}

export type Detected = { readonly kind: 'usable'; readonly cgroups: Cgroups } | { readonly kind: 'none'; readonly why: string };

export const systemCgroups: CgroupPlaces = { mount: '/sys/fs/cgroup', own: '/proc/self/cgroup' };

/** Microseconds; the kernel's default period. */
const cpuPeriodUs = 100_000;
/** The kernel refuses a smaller quota. */
const cpuQuotaUsMin = 1000;

/** `root` is the agent's folder: two agents of one machine get folders of their own. */
export async function detectCgroups(places: CgroupPlaces, root: string): Promise<Detected> {
  const own = await readIfThere(places.own);
  if (own === null) return { kind: 'none', why: 'this system has no cgroups' };
  const name = cgroupNameOf(root);
  return (await exists(join(places.mount, 'cgroup.controllers'))) ? detectV2(places.mount, own, name) : detectV1(places.mount, own, name);
}

/** Of the agent with this folder, absolute: the same again after a restart. */
export function cgroupNameOf(root: string): string {
  return `shoal-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;
}

/** Writes a control file; false where the kernel does not have it or does not let us. */
export async function writeControl(file: string, value: string): Promise<boolean> {
  try {
    await writeFile(file, value);
    return true;
  } catch {
    return false;
  }
}

async function detectV2(mount: string, own: string, name: string): Promise<Detected> {
  const parent = join(mount, parentPathV2(own));
  const base = join(parent, name);
  const refused = await tryFolder(base);
  if (refused !== null) return { kind: 'none', why: `cgroup ${base} cannot be made (${refused})` };
  const chain = parent === mount ? [mount, base] : [mount, parent, base];
  await delegate(chain);
  const probe = join(base, 'probe');
  await mkdir(probe, { recursive: true });
  const memory = await writeControl(join(probe, 'memory.max'), 'max');
  const cpu = await writeControl(join(probe, 'cpu.max'), `max ${cpuPeriodUs}`);
  // Left empty until a worker comes; with workers of an earlier agent in it, it stays.
  await rmdir(probe).catch(() => undefined);
  await rmdir(base).catch(() => undefined);
  const gaps = [
    ...(memory ? [] : ['memory limits are not kept: the cgroup has no memory controller']),
    ...(cpu ? [] : ['CPU limits are not kept: the cgroup has no cpu controller']),
  ];
  return { kind: 'usable', cgroups: cgroupsV2(chain, base, gaps) };
}

/**
 * A service manager ends all that is in a service's cgroup when the service restarts; workers must outlive the agent,
 * so they live in a slice of their own. Anywhere else (a container, a batch job) we stay inside what we were given.
 */
function parentPathV2(own: string): string {
  const path = /^0::(.*)$/m.exec(own)?.[1] ?? '/';
  return path === '/' || /^\/(system\.slice|user\.slice|init\.scope)(\/|$)/.test(path) ? '/shoal.slice' : path;
}

/** Lets the children of each folder have the controllers; refused ones show as gaps. */
async function delegate(chain: readonly string[]): Promise<void> {
  for (const folder of chain) {
    for (const controller of ['memory', 'cpu']) await writeControl(join(folder, 'cgroup.subtree_control'), `+${controller}`);
  }
}

function cgroupsV2(chain: readonly string[], base: string, gaps: readonly string[]): Cgroups {
  const foldersOf = (name: string): readonly string[] => [join(base, name)];
  return {
    version: 'v2',
    gaps,
    foldersOf,
    async make(name, limits) {
      const folder = join(base, name);
      // The last worker that left took the base with it.
      if ((await mkdir(base, { recursive: true })) !== undefined) await delegate(chain);
      await mkdir(folder, { recursive: true });
      if (limits.memoryBytes !== null) {
        await writeControl(join(folder, 'memory.max'), String(limits.memoryBytes));
        // A limit that swap can stretch is none.
        await writeControl(join(folder, 'memory.swap.max'), '0');
      }
      // A gang without one of its ranks is of no use: out of memory ends the whole worker.
      await writeControl(join(folder, 'memory.oom.group'), '1');
      if (limits.cpuMilli !== null) await writeControl(join(folder, 'cpu.max'), `${cpuQuotaUs(limits.cpuMilli)} ${cpuPeriodUs}`);
    },
  };
}

async function detectV1(mount: string, own: string, name: string): Promise<Detected> {
  const open = new Map<string, string>();
  let why = `no cgroup controller is mounted under ${mount}`;
  for (const controller of ['memory', 'cpu', 'freezer', 'pids']) {
    const base = join(await ownFolderV1(mount, own, controller), name);
    if (!(await exists(join(mount, controller)))) continue;
    const refused = await tryFolder(base);
    if (refused === null) open.set(controller, base);
    else why = `cgroup ${base} cannot be made (${refused})`;
    // Left empty until a worker comes.
    await rmdir(base).catch(() => undefined);
  }
  const holder = open.get('memory') ?? open.get('freezer') ?? open.get('pids');
  if (holder === undefined) return { kind: 'none', why };
  const gaps = [
    ...(open.has('memory') ? [] : ['memory limits are not kept: the memory cgroup is not writable']),
    ...(open.has('cpu') ? [] : ['CPU limits are not kept: the cpu cgroup is not writable']),
  ];
  return { kind: 'usable', cgroups: cgroupsV1(holder, open.get('cpu') ?? null, gaps) };
}

/** Below our own cgroup: what limits the agent's surroundings limits its workers too. */
async function ownFolderV1(mount: string, own: string, controller: string): Promise<string> {
  const line = own.split('\n').find((entry) => entry.split(':')[1]?.split(',').includes(controller));
  const folder = join(mount, controller, line?.split(':').slice(2).join(':') ?? '/');
  // In a container the path is the host's and the mount shows only our part of it.
  return (await exists(folder)) ? folder : join(mount, controller);
}

function cgroupsV1(holder: string, cpu: string | null, gaps: readonly string[]): Cgroups {
  const cpuFolder = (name: string, limits: WorkerLimits): string | null =>
    cpu === null || limits.cpuMilli === null ? null : join(cpu, name);
  return {
    version: 'v1',
    gaps,
    foldersOf(name, limits) {
      const second = cpuFolder(name, limits);
      return second === null ? [join(holder, name)] : [join(holder, name), second];
    },
    async make(name, limits) {
      const folder = join(holder, name);
      await mkdir(folder, { recursive: true });
      if (limits.memoryBytes !== null) {
        await writeControl(join(folder, 'memory.limit_in_bytes'), String(limits.memoryBytes));
        // Memory and swap together; only where swap is accounted, and only after the first.
        await writeControl(join(folder, 'memory.memsw.limit_in_bytes'), String(limits.memoryBytes));
      }
      const second = cpuFolder(name, limits);
      if (second === null || limits.cpuMilli === null) return;
      await mkdir(second, { recursive: true });
      await writeControl(join(second, 'cpu.cfs_period_us'), String(cpuPeriodUs));
      await writeControl(join(second, 'cpu.cfs_quota_us'), String(cpuQuotaUs(limits.cpuMilli)));
    },
  };
}

function cpuQuotaUs(cpuMilli: number): number {
  return Math.max(cpuQuotaUsMin, Math.round((cpuMilli * cpuPeriodUs) / 1000));
}

/** Null when the folder can be made, else why not. */
async function tryFolder(folder: string): Promise<string | null> {
  try {
    await mkdir(folder, { recursive: true });
    return null;
  } catch (error) {
    return errorCode(error) || String(error);
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
