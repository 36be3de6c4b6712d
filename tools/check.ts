/**
 * `npm run check`: everything that a reviewer should not have to look for. All checks run, in turn, each with one line;
 * the command fails at the end when any of them failed. With names (`npm run check -- lint rooms`) only those run.
 */
import { checkLint } from './checkLint.ts';
import { checkBreaking, checkGenerated, checkProtoLint } from './checkProto.ts';
import { checkReference } from './checkReference.ts';
import { checkRooms } from './checkRooms.ts';
import { type Check, type CheckResult, runTool } from './checkTool.ts';

const checks: readonly Check[] = [
  { name: 'types', run: () => runTool('tsc', ['--noEmit', '-p', '.']) },
  { name: 'lint', run: () => checkLint(process.cwd()) },
  { name: 'format', run: () => runTool('biome', ['format', '--colors=off', '--max-diagnostics=50', '.']) },
  { name: 'rooms', run: () => checkRooms(process.cwd()) },
  { name: 'dead-code', run: () => runTool('knip', ['--no-progress', '--no-config-hints']) },
  { name: 'proto-lint', run: checkProtoLint },
  { name: 'proto-breaking', run: checkBreaking },
  { name: 'generated', run: checkGenerated },
  { name: 'reference', run: checkReference },
];

process.exitCode = await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !checks.some((check) => check.name === name));
  if (unknown.length > 0) {
    console.error(`no check is called ${unknown.join(', ')}; there are: ${checks.map((check) => check.name).join(', ')}`);
    return 2;
  }
  const failed: string[] = [];
  for (const check of checks) {
    if (names.length > 0 && !names.includes(check.name)) continue;
    const result = await timed(check);
    if (result.kind === 'failed') failed.push(check.name);
  }
  if (failed.length > 0) console.log(`\ncheck failed: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

async function timed(check: Check): Promise<CheckResult> {
  const startedMs = performance.now();
  const result = await check.run();
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const note = result.kind === 'failed' ? '' : result.note;
  console.log(`${result.kind.padEnd(8)}${check.name.padEnd(16)}${seconds.padStart(6)} s${note === '' ? '' : `  ${note}`}`);
  if (result.kind === 'failed') console.log(result.output.trimEnd().replaceAll(/^/gm, '    '));
  return result;
}
