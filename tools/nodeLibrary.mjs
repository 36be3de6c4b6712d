/**
 * Node 26 needs `libatomic.so.1`. It comes with compilers and desktops; a bare Debian lacks it, and Node 20 does without. The
 * system's package is fetched and unpacked among the dependencies, which needs no root and changes nothing of the system, and
 * the `node` there becomes a script that tells the loader to look for it.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const fileName = 'libatomic.so.1';
const packageName = 'libatomic1';

/** Whether Node 26 would not start here. The loader itself is asked: it knows all the places. */
export function lacksLibrary() {
  if (process.platform !== 'linux') return false;
  try {
    process.dlopen({ exports: {} }, fileName);
    return false;
  } catch (error) {
    // One that is found is refused too, for being no addon of Node.
    return String(error.message).includes('cannot open shared object file');
  }
}

/** A temporary folder that holds it. Undefined: it cannot be had. */
export function fetchLibrary() {
  console.error(`Node 26 needs ${fileName}, which this machine lacks: fetching the package ${packageName} …`);
  const work = mkdtempSync(join(tmpdir(), 'shoal-fetching-'));
  try {
    const found = fetchPackage(work) ? findFile(join(work, 'unpacked')) : undefined;
    if (found === undefined) return undefined;
    const folder = mkdtempSync(join(tmpdir(), 'shoal-library-'));
    copyFileSync(found, join(folder, fileName));
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

export const libraryMissing = [
  `${fileName} is missing, without which Node 26 does not start, and its package could not be fetched.`,
  `Get it, as root: apt-get install ${packageName} (Debian, Ubuntu) or dnf install libatomic (Fedora).`,
];

/** Afterwards Node 26 starts without being told. Lasts as long as the dependencies: npm removes both at once. */
export function keepLibrary(folder, modules) {
  const kept = join(modules, '.shoal-library');
  mkdirSync(kept, { recursive: true });
  copyFileSync(join(folder, fileName), join(kept, fileName));
  const node = join(modules, '.bin', 'node');
  // It is a link to the program itself.
  rmSync(node);
  writeFileSync(node, script, { mode: 0o755 });
}

const script = `#!/bin/sh
# Written by tools/nodeLibrary.mjs, on a machine that lacks a library of this Node.
modules=$(cd "\${0%/*}/.." && pwd) || exit 1
LD_LIBRARY_PATH=$modules/.shoal-library\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$modules/node/bin/node" "$@"
`;

/** Also where nobody has run `apt-get update` yet: then with lists of its own. */
function fetchPackage(work) {
  for (const name of ['state', 'cache']) mkdirSync(join(work, name));
  const own = ['-o', `Dir::State=${work}/state`, '-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${work}/cache`];
  const isThere =
    succeeds('apt-get', ['download', packageName], work) ||
    (succeeds('apt-get', [...own, 'update'], work) && succeeds('apt-get', [...own, 'download', packageName], work));
  if (!isThere) return false;
  const file = readdirSync(work).find((name) => name.endsWith('.deb'));
  return file !== undefined && succeeds('dpkg-deb', ['--extract', file, join(work, 'unpacked')], work);
}

function succeeds(program, words, cwd) {
  return spawnSync(program, words, { cwd, stdio: 'ignore' }).status === 0;
}

function findFile(folder) {
  const path = readdirSync(folder, { recursive: true }).find((name) => name.endsWith(`/${fileName}`));
  return path === undefined ? undefined : join(folder, path);
}
