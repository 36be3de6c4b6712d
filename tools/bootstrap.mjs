/**
 * What `npm run demo`, `npm test`, `npm run check` and `npm run properties` start first: needs nothing but Node 20.19 and npm, installs the rest
 * (Node 26 is one of the packages), and hands over to it. Plain JavaScript of Node's own modules, because it runs before
 * anything is there.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchLibrary, keepLibrary, lacksLibrary, libraryMissing } from './nodeLibrary.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const node = join(modules, '.bin', 'node');
const stampFile = join(modules, '.shoal-installed');
const wantedNode = [20, 19];
const pythonTests = ['-m', 'unittest', 'discover', '-s', 'sdk/python/tests', '-t', 'sdk/python'];

/** Name -> what runs, one after the other; the first failure ends it. */
const commands = {
  demo: (words) => [{ program: node, words: ['tools/demo/main.ts', ...words] }],
  test: (words) => [
    { program: node, words: ['node_modules/vitest/vitest.mjs', 'run', ...words] },
    // With words it was asked for some tests, not for all.
    ...(words.length > 0 ? [] : [{ program: 'python3', words: pythonTests, ifMissing: noPython }]),
  ],
  check: (words) => [{ program: node, words: ['tools/check.ts', ...words] }],
  properties: (words) => [{ program: node, words: ['tools/properties.ts', ...words] }],
  /** Node runs the sources as they are: there is nothing to build but what `npm ci` brings. */
  build: () => [{ program: node, words: ['--version'] }],
};

const noPython = [
  'python3 is missing: the tests of sdk/python were not run.',
  'Get it: apt-get install python3 (Debian, Ubuntu) or brew install python (macOS).',
];

process.exitCode = await main(process.argv.slice(2));

async function main([name, ...words]) {
  const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
  if (command === undefined) return fail([`what to do? One of: ${Object.keys(commands).join(', ')}`], 2);
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < wantedNode[0] || (major === wantedNode[0] && minor < wantedNode[1])) {
    return fail([
      `Node ${process.versions.node} is too old: ${wantedNode.join('.')} or newer is needed to install the rest (${process.execPath}).`,
      'Get it: https://nodejs.org, or your package manager. Node 26 itself comes with npm ci.',
    ]);
  }
  if (!isInstalled()) {
    const code = await install();
    if (code !== 0) return code;
  }
  for (const step of command(words.filter((word) => word !== '--'))) {
    const code = await run(step);
    if (code !== 0) return code;
  }
  return 0;
}

/** Installed for this lock file on this kind of machine. */
function isInstalled() {
  try {
    accessSync(node);
    const stamp = readIfThere(stampFile);
    if (stamp !== undefined) return stamp === wantedStamp();
    // Installed by hand: npm writes its own copy of the lock file last.
    return statSync(join(modules, '.package-lock.json')).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
  } catch {
    return false;
  }
}

async function install() {
  if (!lacksLibrary()) return installDependencies();
  const folder = fetchLibrary();
  if (folder === undefined) return fail(libraryMissing);
  try {
    process.env.LD_LIBRARY_PATH = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter);
    const code = await installDependencies();
    if (code === 0) keepLibrary(folder, modules);
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function installDependencies() {
  console.error('Installing the dependencies (npm ci) …');
  // Quiet, because the Node that runs npm here is older than what some packages ask for; they run on Node 26.
  const words = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const step = npm === undefined ? { program: 'npm', words } : { program: process.execPath, words: [npm, ...words] };
  const code = await run({
    ...step,
    ifMissing: ['npm is missing.', 'Get it: apt-get install npm (Debian, Ubuntu), or Node from https://nodejs.org.'],
  });
  if (code !== 0) return fail(['The dependencies could not be installed; npm says why above.'], code);
  writeFileSync(stampFile, wantedStamp());
  return 0;
}

function wantedStamp() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${lock} ${process.platform} ${process.arch}\n`;
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Resolves with the exit code; a signal to this process goes to the program, which decides what it means. */
function run({ program, words, ifMissing }) {
  const env = { ...process.env, PATH: `${join(modules, '.bin')}${delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(program, words, { cwd: root, stdio: 'inherit', env });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const pass = (signal) => child.kill(signal);
  for (const signal of signals) process.on(signal, pass);
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve(fail(error.code === 'ENOENT' && ifMissing !== undefined ? ifMissing : [`${program} could not be started: ${error.message}`]));
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === 'SIGINT' ? 2 : 15)));
  }).finally(() => {
    for (const signal of signals) process.off(signal, pass);
  });
}

function fail(lines, code = 1) {
  for (const line of lines) console.error(line);
  return code;
}
