import type { MeshGroup, MeshPlan } from '#gen/shoal/v1/training_job_pb.js';
import { formatBytes } from '#vocabulary/units.ts';
import { formatIndices } from './format.ts';
import type { Section } from './sections.ts';

/** Rows of a table of groups; `-o json` has all. */
const groupsMax = 64;

/** How a mesh lies on a cluster and what it is predicted to cost: for `describe` and dry runs. */
export function meshSections(mesh: MeshPlan | undefined): readonly Section[] {
  if (mesh === undefined) return [];
  const { order, seconds, randomSeconds, packedSeconds } = mesh;
  const said = `${formatSeconds(seconds)} a step (packed without the mesh ${formatSeconds(packedSeconds)}, random order ${formatSeconds(randomSeconds)})`;
  return [
    {
      kind: 'facts',
      facts: [
        ['Mesh order', `${order.join(', ')} (the last varies fastest)`],
        ['Predicted communication', said],
      ],
    },
    axesSection(mesh),
    ...groupsSection('Stages', 'Stage', mesh.stages),
    ...groupsSection('Expert groups', 'Group', mesh.expertGroups),
  ];
}

function axesSection({ axes }: MeshPlan): Section {
  return {
    kind: 'table',
    title: 'Axes',
    heads: ['Axis', 'Size', 'Traffic', 'Bytes', 'Seconds', 'Bound by', 'Crossings'],
    rows: axes.map(({ axis, size, collective, bytes, seconds, boundBy, outerCrossings }) => [
      axis,
      String(size),
      collective,
      formatBytes(Number(bytes)),
      formatSeconds(seconds),
      boundBy,
      String(outerCrossings),
    ]),
    empty: '<none>',
  };
}

function groupsSection(title: string, head: string, groups: readonly MeshGroup[]): readonly Section[] {
  if (groups.length === 0) return [];
  const rows = groups
    .slice(0, groupsMax)
    .map(({ workers, domains }, at) => [
      String(at),
      formatIndices(workers),
      domains.length === 1 ? (domains[0]?.name ?? '') : domains.map(({ name, workers: count }) => `${name} (${count})`).join(', '),
    ]);
  const more = groups.length > groupsMax ? [['...', '', `${groups.length - groupsMax} more; -o json has all`]] : [];
  return [{ kind: 'table', title, heads: [head, 'Workers', 'Where'], rows: [...rows, ...more], empty: '<none>' }];
}

/** Three digits that count: 1.24 s, 85.9 ms, 12.0 us. */
function formatSeconds(seconds: number): string {
  const [value, unit] = seconds >= 1 || seconds === 0 ? [seconds, 's'] : seconds >= 1e-3 ? [seconds * 1e3, 'ms'] : [seconds * 1e6, 'us'];
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}
