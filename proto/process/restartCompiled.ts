import { flushCompileCache, getCompileCacheDir } from 'node:module';

/** Set for the program that comes of a restart, and taken away by it: its children shall not see it. */
const mark = 'SHOAL_RESTARTED_COMPILED';

/**
 * Run from sources that are not in the compile cache, a program has loaded Node's type stripper, and keeps its 30 MiB for as long
 * as it runs (a controller of 155 MiB instead of 120, 2026-11). So a program that stays calls this first, with everything
 * imported: it writes the cache and becomes the same program anew (same pid, streams, flags, words), which costs a start,
 * once after each change of the sources. Nothing happens where there is no cache (NODE_COMPILE_CACHE), where it is full
 * already, on Windows, or a second time, should the cache not be writable.
 *
 * `loadRest` imports what the program loads later or in another thread.
 */
export async function restartCompiled(loadRest: () => Promise<unknown>): Promise<void> {
  const isSecondStart = process.env[mark] !== undefined;
  delete process.env[mark];
  if (isSecondStart || !hasTypeStripper() || getCompileCacheDir() === undefined || process.execve === undefined) return;
  await loadRest();
  flushCompileCache();
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], { ...process.env, [mark]: '1' });
}

/** Node has no documented way to ask; its list of loaded built-in modules names the stripper, amaro. */
export function hasTypeStripper(): boolean {
  const loaded: unknown = Reflect.get(process, 'moduleLoadList');
  return Array.isArray(loaded) && loaded.some((name) => String(name).includes('deps/amaro/'));
}
