import { userName } from '#vocabulary/ids.ts';
import type { FakeCluster } from './fakeCluster.ts';

/** The trouble is over: nodes are there and sound, and nobody keeps a job from running. */
export function makePeace(cluster: FakeCluster): void {
  const user = userName('bob');
  for (const agent of cluster.agents) {
    for (let gpu = 0; gpu < 4; gpu += 1) agent.setHealth(gpu, true);
    cluster.reconnect(agent);
    cluster.step([{ kind: 'uncordonNode', node: agent.name, user }]);
  }
  for (const { name } of [...cluster.view.jobs.values()])
    cluster.step([
      { kind: 'resumeJob', name, user },
      { kind: 'releaseJob', name, user },
    ]);
}
