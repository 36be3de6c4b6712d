import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { isMissing } from './workerFiles.ts';

/** Where a command is looked for when the environment names no PATH. */
export const defaultPath = '/usr/local/bin:/usr/bin:/bin';

/** Why this command cannot start in this folder, in one sentence that names the thing; null when it seems to be able to. */
export async function findLaunchTrouble(command: readonly string[], folder: string, path: string): Promise<string | null> {
  const program = command[0];
  if (program === undefined || program === '') return 'the command is empty';
  const trouble = await folderTrouble(folder);
  if (trouble !== null) return trouble;
  if (program.includes('/')) return await fileTrouble(program, resolve(folder, program));
  for (const entry of path.split(delimiter)) {
    if ((await fileTrouble(program, resolve(folder, join(entry, program)))) === null) return null;
  }
  return `command ${JSON.stringify(program)} is not found in PATH (${path})`;
}

async function folderTrouble(folder: string): Promise<string | null> {
  try {
    if (!(await stat(folder)).isDirectory()) return `working directory ${folder} is not a folder`;
    await access(folder, constants.X_OK);
    return null;
  } catch (error) {
    return isMissing(error) ? `working directory ${folder} does not exist` : `working directory ${folder} cannot be entered`;
  }
}

async function fileTrouble(program: string, file: string): Promise<string | null> {
  try {
    if (!(await stat(file)).isFile()) return `command ${JSON.stringify(program)} is not a file`;
    await access(file, constants.X_OK);
    return null;
  } catch (error) {
    return isMissing(error) ? `command ${JSON.stringify(program)} does not exist` : `command ${JSON.stringify(program)} cannot be executed`;
  }
}
