import type { JobSpec } from '#vocabulary/job.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { NodePlan } from './scenario.ts';
import { describeUnknown, type Fields } from '#codec/fields.ts';

/** What an entry of the timeline may refer to. */
export interface TimelineContext {
  readonly nodes: readonly NodePlan[];
  readonly known: Known;
}

/** Names that a scenario brings into being anywhere: what refers to another one is a slip of the pen. */
export class Known {
  readonly jobs: ReadonlySet<string>;
  readonly #queues: ReadonlySet<string>;
  readonly #levels: Levels;

  constructor(scenario: Fields, levels: Levels, queues: readonly string[]) {
    const applied = scenario.list('timeline').map((entry) => member(entry, 'apply'));
    this.#levels = levels;
    this.jobs = new Set(namesOf(applied, 'TrainingJob'));
    this.#queues = new Set([...queues, ...namesOf(applied, 'Queue')]);
  }

  checkJob(entry: Fields, spec: JobSpec): void {
    if (!this.#queues.has(spec.queue))
      entry.problems.add(`${entry.at('apply')}.spec.queue`, `queue ${describeUnknown(spec.queue, [...this.#queues])}`);
    for (const [index, { level }] of spec.constraints.entries()) {
      if (!this.#levels.includes(level))
        entry.problems.add(
          `${entry.at('apply')}.spec.placement.constraints[${index}].level`,
          `level ${describeUnknown(level, this.#levels)}`,
        );
    }
  }

  checkQueueParent(entry: Fields, parent: string | null): void {
    if (parent !== null && !this.#queues.has(parent))
      entry.problems.add(`${entry.at('apply')}.spec.parent`, `queue ${describeUnknown(parent, [...this.#queues])}`);
  }
}

function namesOf(manifests: readonly unknown[], kind: string): readonly string[] {
  return manifests.flatMap((manifest) => {
    const name = member(member(manifest, 'metadata'), 'name');
    return member(manifest, 'kind') === kind && typeof name === 'string' ? [name] : [];
  });
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
