import { describeRuntime } from './runtime.ts';
import { openProcessGround } from './runtimeProcessGround.ts';

describeRuntime('processes in their groups', () => openProcessGround('off'));
describeRuntime('processes in cgroups where there are any', () => openProcessGround('auto'));
