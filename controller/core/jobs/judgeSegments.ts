import type { SegmentSpec } from '#vocabulary/job.ts';
import type { Levels } from '#vocabulary/topology.ts';
import type { SpecProblem } from './specProblem.ts';

/** The outermost level first; all are levels of the cluster. */
function sortSegments(segments: readonly SegmentSpec[], levels: Levels): readonly SegmentSpec[] {
  return [...segments].sort((left, right) => levels.indexOf(left.level) - levels.indexOf(right.level));
}

/** Segments nest: the outermost divides the gang, each inner one the segment around it. */
export function judgeSegments(segments: readonly SegmentSpec[], workers: number, levels: Levels): SpecProblem | null {
  if (segments.length === 0) return null;
  let whole = { what: 'spec.workers', workers };
  for (const segment of sortSegments(segments, levels)) {
    const rest = whole.workers % segment.workers;
    if (rest !== 0) {
      const times = Math.floor(whole.workers / segment.workers);
      return {
        field: `spec.placement.segments[${segments.indexOf(segment)}].workers`,
        message: `segments of ${segment.workers} workers do not divide ${whole.what} ${whole.workers}: ${whole.workers} = ${times} x ${segment.workers} + ${rest}`,
      };
    }
    whole = { what: `the ${segment.level} segments of`, workers: segment.workers };
  }
  return null;
}
