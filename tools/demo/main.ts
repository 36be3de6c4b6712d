/**
 * `npm run demo`: a cluster of one controller and four agents on this machine, a sharded training job on it, and the loss
 * of a node in the middle. Everything is real but the GPUs. Leaves nothing behind, unless `--keep` is given.
 */
import { ensurePython, PythonMissing } from '../python.ts';
import { startCluster, type Cluster } from './cluster.ts';
import { evidenceOf } from './failure.ts';
import { binFolderOf, clearFolder, Ground } from './ground.ts';
import { parseOptions, usage, type DemoOptions } from './options.ts';
import { makeScreen, type Screen } from './screen.ts';
import { tellStory } from './story.ts';

const interruptedCode = 130;
const looks = ['shoal describe job gpt-tiny', 'shoal logs gpt-tiny --all-ranks', 'shoal get gpus -o wide', 'shoal events', 'shoal help'];

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
// Nobody reads any more, e.g. `npm run demo | head`.
process.stdout.on('error', () => interrupt.abort());
process.exitCode = await main(process.argv.slice(2), interrupt.signal);

async function main(words: readonly string[], signal: AbortSignal): Promise<number> {
  const parsed = parseOptions(words);
  switch (parsed.kind) {
    case 'help':
      process.stdout.write(usage);
      return 0;
    case 'wrong':
      process.stderr.write(`${parsed.message}\n\n${usage}`);
      return 2;
    case 'end':
      await clearFolder(parsed.folder);
      return 0;
    case 'run':
      return runDemo(
        parsed.options,
        makeScreen(process.stdout, () => performance.now()),
        signal,
      );
  }
}

async function runDemo(options: DemoOptions, screen: Screen, signal: AbortSignal): Promise<number> {
  const ground = await prepare(screen, signal);
  if (ground === undefined) return signal.aborted ? interruptedCode : 1;
  let isKept = false;
  let cluster: Cluster | undefined;
  try {
    screen.say(`Starting a controller and four agents with two simulated H100 each in ${ground.folder}`);
    cluster = await startCluster(ground, signal);
    await tellStory(cluster, options, screen, signal);
    isKept = options.keep;
    for (const line of isKept ? waysOn(ground) : farewell()) screen.say(line);
    return 0;
  } catch (error) {
    screen.settle();
    if (signal.aborted) {
      screen.say('Interrupted; ending everything that was started …');
      return interruptedCode;
    }
    screen.say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    for (const line of await evidenceOf(ground)) screen.say(line);
    return 1;
  } finally {
    cluster?.client.close();
    if (isKept) ground.release();
    else await ground.clear();
  }
}

/** Undefined: it cannot be, and the screen says why. */
async function prepare(screen: Screen, signal: AbortSignal): Promise<Ground | undefined> {
  try {
    return await Ground.make(await ensurePython((line) => screen.say(line), signal));
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!(error instanceof PythonMissing)) throw error;
    screen.say(error.message);
    return undefined;
  }
}

function farewell(): readonly string[] {
  return ['', 'To look further, keep it running: npm run demo -- --keep', ...looks.map((command) => `  ${command}`)];
}

function waysOn({ folder }: Ground): readonly string[] {
  return [
    '',
    `It is left running, in ${folder}. To look further:`,
    `  export SHOAL_CONFIG=${folder}/config PATH=${binFolderOf(folder)}:$PATH`,
    ...looks.map((command) => `  ${command}`),
    'To end it and remove it:',
    `  npm run demo -- --end ${folder}`,
  ];
}
