import { join } from 'node:path';

/** Where a node's identity lies in its data folder. */
export function identityFiles(dataFolder: string): {
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
  /** JSON: the node's name and where the controller listens for agents, as told when it joined. */
  readonly controller: string;
} {
  return {
    key: join(dataFolder, 'node.key'),
    certificate: join(dataFolder, 'node.crt'),
    ca: join(dataFolder, 'ca.crt'),
    controller: join(dataFolder, 'controller.json'),
  };
}
