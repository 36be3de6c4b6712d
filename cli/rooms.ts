import { fileURLToPath } from 'node:url';

/** The other programs of Shoal. The CLI starts them and never imports them: rooms do not reach into each other. */
export const controllerProgram = fileURLToPath(new URL('../controller/main.ts', import.meta.url));
/** For Node: an agent lives beside the work, so it collects its garbage sooner and stays small. */
export const agentNodeFlags: readonly string[] = ['--max-semi-space-size=1'];
/** Its young garbage may take 24 MiB, half of Node's default: a cluster at rest stays below 120 MiB, and throughput does not notice. */
export const controllerNodeFlags: readonly string[] = ['--max-semi-space-size=8'];
export const agentProgram = fileURLToPath(new URL('../agent/main.ts', import.meta.url));
export const simProgram = fileURLToPath(new URL('../sim/main.ts', import.meta.url));
