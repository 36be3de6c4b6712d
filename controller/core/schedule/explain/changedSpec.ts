import type { JobSpec } from '#vocabulary/job.ts';
import type { Remedy } from '#vocabulary/verdict.ts';

/** The job's spec with a remedy applied; null: the remedy is of another kind, and changes no spec. */
export function changedSpec(spec: JobSpec, remedy: Remedy): JobSpec | null {
  switch (remedy.kind) {
    case 'FewerWorkers':
      return { ...spec, workers: remedy.workers, mesh: withData(spec.mesh, remedy.data) };
    case 'FewerGpus':
      return { ...spec, gpusPerWorker: remedy.gpusPerWorker, mesh: withData(spec.mesh, remedy.data) };
    case 'SmallerWorkers': {
      const { workers, gpusPerWorker, segments, spread } = remedy;
      return { ...spec, workers, gpusPerWorker, segments, spread };
    }
    case 'WiderLevel':
      return { ...spec, constraints: remedy.constraints };
    case 'NoSegments':
      return { ...spec, segments: [] };
    case 'NoSpread':
      return { ...spec, spread: null };
    case 'NotExclusive':
      return { ...spec, exclusive: null };
    case 'AnyNode':
      return { ...spec, nodeSelector: {} };
    case 'AvoidNone':
      return { ...spec, avoidNodes: [] };
    case 'OtherModel':
      return { ...spec, gpuModels: [remedy.model] };
    case 'Deadline':
      return { ...spec, deadlineMs: remedy.atMs };
    case 'StartNow':
      return { ...spec, startAfterMs: null };
    case 'NoDependency':
      return { ...spec, after: [] };
    case 'Next':
    case 'Release':
    case 'QueueLimit':
    case 'UserLimit':
    case 'UserMaxRunning':
    case 'OpenQueue':
    case 'Uncordon':
      return null;
  }
}

const withData = (mesh: JobSpec['mesh'], data: number | null): JobSpec['mesh'] =>
  data === null ? mesh : mesh.map((each) => (each.axis === 'data' ? { ...each, size: data } : each));
