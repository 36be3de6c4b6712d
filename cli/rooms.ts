import { fileURLToPath } from 'node:url';

/** The other programs of Shoal. The CLI starts them and never imports them: rooms do not reach into each other. */
export const controllerProgram = fileURLToPath(new URL('../controller/main.ts', import.meta.url));
export const agentProgram = fileURLToPath(new URL('../agent/main.ts', import.meta.url));
