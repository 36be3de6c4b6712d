/**
 * Meshes on a cluster in the middle of its life: how long the scheduler thinks, and what it saves.
 *   node bench/mesh.ts [time|cost]…
 * The core alone, in this process. Costs are predictions of the scheduler's own model (docs/concepts/mesh.md), so they compare placements
 * and are no measurement of a network.
 */
import { measureCost } from './mesh/cost.ts';
import { measureTime } from './mesh/time.ts';
import type { Subjects } from './subjects.ts';
import { runSubjects } from './subjects.ts';

const subjects: Subjects = [
  ['time', measureTime],
  ['cost', measureCost],
];

runSubjects(subjects, process.argv.slice(2));
