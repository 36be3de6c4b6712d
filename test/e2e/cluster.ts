/**
 * A whole cluster of real processes in a folder of its own: one controller and some agents with simulated GPUs, each of
 * which a test may kill, freeze and start again. `withCluster` ends all of it, ranks too, and says in the message of a
 * failed test what the logs said last.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { removeCgroups } from '#agent/adapters/process/cgroupMembers.ts';
import { parseReady, readContextFile, type ContextFile, type Ready } from '#cli/cmd/up/ready.ts';
import { saveConfig } from '#cli/config/configFile.ts';
import { agentProgram, controllerProgram } from '#cli/rooms.ts';
import { ControlService } from '#gen/shoal/v1/control_pb.js';
import { connect } from '#rpc/connect.ts';
import { clientCredentials } from '#rpc/credentials.ts';
import { assert } from '#vocabulary/assert.ts';
import { processesWithPath, signalAll, type SeenProcess } from './processes.ts';
import { firstLine, startProgram, tail, type Env, type Program } from './program.ts';
import { isAnsweredByReadyNodes, type ControlClient } from './questions.ts';
import { waitUntil } from './waitUntil.ts';

export interface NodeWanted {
  readonly name: string;
  readonly rack?: string;
  readonly gpus?: number;
  /** Words before the agent's own, e.g. to run it in a network namespace. */
  readonly within?: readonly string[];
}

export interface ClusterOptions {
  readonly nodes: readonly NodeWanted[];
  /** Where the controller listens. Default 127.0.0.1. */
  readonly host?: string;
  /** Its data folder; default: one in the cluster's folder. */
  readonly controllerData?: string;
  /** Settings of the scheduler that are different. */
  readonly policy?: Readonly<Record<string, unknown>>;
}

/** Two racks of two nodes with two GPUs each. */
export const fourNodes: readonly NodeWanted[] = [
  { name: 'n1', rack: 'r1' },
  { name: 'n2', rack: 'r1' },
  { name: 'n3', rack: 'r2' },
  { name: 'n4', rack: 'r2' },
];

/** Runs a test in a cluster whose nodes are all ready. */
export async function withCluster(options: ClusterOptions, test: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = await Cluster.make(options);
  try {
    await cluster.start();
    await test(cluster);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${await cluster.lastWords()}`, { cause: error });
  } finally {
    await cluster.clear();
  }
}

/** Compiled sources are kept between tests; a start is twice as quick with them. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/shoal-e2e', import.meta.url));

export class Cluster {
  /** Short: sockets in it may have paths of 103 bytes at most. */
  readonly folder: string;
  /** Seen by all nodes, as a shared file system would be. */
  readonly work: string;
  readonly env: Env;
  readonly #options: ClusterOptions;
  readonly #programs: Program[] = [];
  readonly #agents = new Map<string, Program>();
  #controller: Program | null = null;
  #ready: Ready | null = null;
  #context: ContextFile | null = null;
  #client: ControlClient | null = null;

  private constructor(options: ClusterOptions, folder: string) {
    this.#options = options;
    this.folder = folder;
    this.work = join(folder, 'work');
    this.env = {
      ...process.env,
      // Found again by it: whatever runs in this cluster inherits it, see `#members`.
      PATH: [process.env['PATH'] ?? '', join(folder, 'bin')].join(delimiter),
      NODE_COMPILE_CACHE: compileCache,
      NODE_OPTIONS: '',
      SHOAL_CONFIG: join(folder, 'config'),
      USER: 'tester',
    };
  }

  static async make(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options, await mkdtemp('/tmp/shoal-e2e-'));
    for (const folder of [cluster.work, join(cluster.folder, 'logs')]) await mkdir(folder);
    return cluster;
  }

  /** Controller, agents, a context for the CLI. Resolves when every node is ready. */
  async start(): Promise<void> {
    await this.startController();
    await saveConfig(join(this.folder, 'config'), {
      currentContext: 'e2e',
      contexts: [{ name: 'e2e', server: this.ready.control, certificateAuthority: this.context.caPem, token: this.context.token }],
    });
    await Promise.all(this.#options.nodes.map((node) => this.#joinAndStart(node)));
    await this.untilNodesReady();
  }

  /** A client of the controller that runs now. A new controller gets a new client: a channel backs off after failures. */
  get client(): ControlClient {
    assert(this.#client !== null, 'the controller was started');
    return this.#client;
  }

  get ready(): Ready {
    assert(this.#ready !== null, 'the controller was started');
    return this.#ready;
  }

  get context(): ContextFile {
    assert(this.#context !== null, 'the controller was started');
    return this.#context;
  }

  get controller(): Program {
    assert(this.#controller !== null, 'the controller was started');
    return this.#controller;
  }

  agent(node: string): Program {
    const agent = this.#agents.get(node);
    assert(agent !== undefined, `node ${node} has an agent`);
    return agent;
  }

  get controllerData(): string {
    return this.#options.controllerData ?? join(this.folder, 'controller');
  }

  nodeData(node: string): string {
    return join(this.folder, node);
  }

  /** At the same ports as before, when there was one before. Resolves when it listens. */
  async startController(): Promise<void> {
    const ready = await firstLine(await this.spawnController(), parseReady);
    this.#ready = ready;
    this.#context = await readContextFile(ready.contextFile);
    this.#client?.close();
    this.#client = this.connect();
  }

  /** Does not wait for it to listen. */
  async spawnController(): Promise<Program> {
    const host = this.#options.host ?? '127.0.0.1';
    const { control = `${host}:0`, agents = `${host}:0` } = this.#ready ?? {};
    const words = ['--data', this.controllerData, '--listen', control, '--agent-listen', agents, '--names', host, '--log-level', 'warn'];
    if (this.#options.policy !== undefined) {
      const file = join(this.folder, 'policy.yaml');
      await writeFile(file, JSON.stringify(this.#options.policy));
      words.push('--policy', file);
    }
    this.#controller = await this.run('controller', [process.execPath, controllerProgram, ...words]);
    return this.#controller;
  }

  connect(): ControlClient {
    const { caPem, token } = this.context;
    const metadata = (): Record<string, string> => ({ authorization: `Bearer ${token}` });
    return connect(ControlService, { address: this.ready.control, credentials: clientCredentials({ caPem }), metadata });
  }

  /** Resolves when it runs, which is before it has a session. */
  async startAgent(name: string): Promise<void> {
    const node = this.#options.nodes.find((each) => each.name === name);
    assert(node !== undefined, `there is a node ${name}`);
    const words = [
      ...['run', '--data', this.nodeData(name), '--node', name, '--work-dir', this.work],
      ...['--topology', `zone=z1,block=b1,rack=${node.rack ?? 'r1'}`, '--gpus', String(node.gpus ?? 2), '--log-level', 'info'],
    ];
    this.#agents.set(name, await this.run(name, [...(node.within ?? []), process.execPath, agentProgram, ...words]));
  }

  /** The token goes by environment, never by argument: arguments can be read by every user of the machine. */
  async #joinAndStart({ name, within = [] }: NodeWanted): Promise<void> {
    const { token } = await this.client.createJoinToken({});
    const words = ['join', '--data', this.nodeData(name), '--controller', this.ready.control, '--node', name];
    const joining = await this.run(`${name}-join`, [...within, process.execPath, agentProgram, ...words], { SHOAL_JOIN_TOKEN: token });
    const how = await joining.ended;
    if (how !== 'ended with code 0') throw new Error(`agent ${name} could not join: it ${how}: ${await tail(joining.logFile)}`);
    await this.startAgent(name);
  }

  async untilNodesReady(): Promise<void> {
    const names = this.#options.nodes.map(({ name }) => name);
    await waitUntil(() => isAnsweredByReadyNodes(this.client, names), { what: `nodes ${names.join(', ')} are ready` });
  }

  /** Starts a program with the cluster's environment and a log of its own. */
  async run(name: string, words: readonly string[], env: Env = {}): Promise<Program> {
    const [file, ...args] = words;
    assert(file !== undefined, 'a program has a name');
    const logFile = join(this.folder, 'logs', `${String(this.#programs.length).padStart(3, '0')}-${name}.log`);
    const program = await startProgram({ name, words: [file, ...args], env: { ...this.env, ...env }, logFile });
    this.#programs.push(program);
    return program;
  }

  /** The processes of a job's ranks, without their launchers. */
  async ranksOf(jobName: string): Promise<readonly SeenProcess[]> {
    const all = await this.processesOf(jobName);
    return all.filter(({ command }) => !command.some((word) => word.endsWith('/launch.sh')));
  }

  /** All processes of a job, launchers too. */
  async processesOf(jobName: string): Promise<readonly SeenProcess[]> {
    return (await this.#members()).filter(({ env }) => env.get('SHOAL_JOB') === jobName);
  }

  #members(): Promise<readonly SeenProcess[]> {
    return processesWithPath(join(this.folder, 'bin'));
  }

  /** The ends of the logs that are not empty. */
  async lastWords(): Promise<string> {
    const folder = join(this.folder, 'logs');
    const names = (await readdir(folder)).sort();
    const texts = await Promise.all(names.map(async (name) => ({ name, text: await tail(join(folder, name), 12) })));
    return texts
      .filter(({ text }) => text !== '')
      .slice(-8)
      .map(({ name, text }) => `── ${name}\n${text}`)
      .join('\n');
  }

  /** Ends everything that runs in this cluster, and removes its folder. */
  async clear(): Promise<void> {
    this.#client?.close();
    for (const program of this.#programs) if (program.end() === null) program.signal('SIGKILL');
    // Until there are none: a process may start another one between the looking and the killing.
    for (let found = await this.#members(); found.length > 0; found = await this.#members()) {
      signalAll(
        found.map(({ pid }) => pid),
        'SIGKILL',
      );
    }
    await Promise.all(this.#programs.map(({ ended }) => ended));
    for (const { name } of this.#options.nodes) await removeLeftCgroups(join(this.nodeData(name), 'workers'));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Of workers whose agents cannot tidy up any more. */
async function removeLeftCgroups(workers: string): Promise<void> {
  for (const name of await readdir(workers).catch(() => [])) {
    const folders = await readFile(join(workers, name, 'cgroups'), 'utf8').catch(() => '');
    await removeCgroups(folders.split('\n').filter((folder) => folder !== ''));
  }
}
