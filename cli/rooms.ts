import { fileURLToPath } from 'node:url';

/** The other programs of Shoal. The CLI starts them and never imports them: rooms do not reach into each other. */
export const controllerProgram = fileURLToPath(new URL('../controller/main.ts', import.meta.url));
/**
 * For Node: an agent lives beside the work, so it collects its garbage sooner and stays small. It computes next to nothing, and
 * the two optimizing compilers would bring 9 MiB of their own code into its memory (2026-11) for a start that they do not hasten.
 */
export const agentNodeFlags: readonly string[] = ['--max-semi-space-size=1', '--no-opt', '--no-maglev'];
/**
 * Its young garbage may take 24 MiB, half of Node's default, and throughput does not notice. The controller collects it when
 * it is quiet: a cluster at rest stays below 120 MiB.
 */
export const controllerNodeFlags: readonly string[] = ['--max-semi-space-size=8', '--expose-gc'];
export const simProgram = fileURLToPath(new URL('../sim/main.ts', import.meta.url));
export const agentProgram = fileURLToPath(new URL('../agent/main.ts', import.meta.url));
