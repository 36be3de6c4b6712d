import { fileURLToPath } from 'node:url';

/** The other programs of Shoal. The CLI starts them and never imports them: rooms do not reach into each other. */
export const controllerProgram = fileURLToPath(new URL('../controller/main.ts', import.meta.url));
/** For Node: an agent lives beside the work, so it collects its garbage sooner and stays small. */
export const agentNodeFlags: readonly string[] = ['--max-semi-space-size=1'];
export const agentProgram = fileURLToPath(new URL('../agent/main.ts', import.meta.url));
