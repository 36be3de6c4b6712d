/**
 * Node 26 needs `libatomic.so.1`. It comes with compilers and desktops; a bare Debian lacks it, and Node 20 does without. The
 * system's package is fetched and unpacked in the user's cache, which needs no root and changes nothing of the system; what is
 * started from here, and bin/shoal, tell the loader to look there.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
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

/** Its folder, for LD_LIBRARY_PATH; fetches it when it is not there yet. Undefined: it cannot be had. */
export function ensureLibrary() {
  const cache = join(process.env.XDG_CACHE_HOME || join(process.env.HOME || homedir(), '.cache'), 'shoal');
  const folder = join(cache, 'library');
  if (existsSync(join(folder, fileName))) return folder;
  console.error(`Node 26 needs ${fileName}, which this machine lacks; fetching it from its package ${packageName} …`);
  const work = mkdtempSync(join(tmpdir(), 'shoal-library-'));
  try {
    const found = fetchPackage(work) ? findFile(work) : undefined;
    if (found === undefined) return undefined;
    mkdirSync(folder, { recursive: true });
    const partial = join(folder, `${fileName}.${process.pid}`);
    cpSync(realpathSync(found), partial);
    renameSync(partial, join(folder, fileName));
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

export const libraryMissing = [
  `${fileName} is missing, without which Node 26 does not start, and it could not be fetched.`,
  `Get it, as root: apt-get install ${packageName} (Debian, Ubuntu) or dnf install libatomic (Fedora).`,
];

/** Also where nobody has run `apt-get update` yet: then with lists of its own. */
function fetchPackage(work) {
  for (const name of ['state', 'cache']) mkdirSync(join(work, name));
  const state = ['-o', `Dir::State=${work}/state`, '-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${work}/cache`];
  const isThere =
    succeeds('apt-get', ['download', packageName], work) ||
    (succeeds('apt-get', [...state, 'update'], work) && succeeds('apt-get', [...state, 'download', packageName], work));
  if (!isThere) return false;
  const file = readdirSync(work).find((name) => name.endsWith('.deb'));
  return file !== undefined && succeeds('dpkg-deb', ['--extract', file, join(work, 'unpacked')], work);
}

function succeeds(program, words, cwd) {
  return spawnSync(program, words, { cwd, stdio: 'ignore' }).status === 0;
}

function findFile(work) {
  const unpacked = join(work, 'unpacked');
  const path = readdirSync(unpacked, { recursive: true }).find((name) => name.endsWith(`/${fileName}`));
  return path === undefined ? undefined : join(unpacked, path);
}
