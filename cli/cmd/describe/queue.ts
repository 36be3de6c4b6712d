import type { Queue } from '#gen/shoal/v1/queue_pb.js';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import { formatMap, formatTime } from '../../print/format.ts';
import type { Section } from '../../print/sections.ts';

export function describeQueue({ metadata, spec, status }: Queue): readonly Section[] {
  const perUser = [
    ...(Object.keys(spec?.perUser?.limit ?? {}).length === 0 ? [] : [formatMap(spec?.perUser?.limit ?? {})]),
    ...(spec?.perUser?.maxRunning === undefined ? [] : [`${spec.perUser.maxRunning} running jobs`]),
  ];
  const models = [
    ...new Set([...Object.keys(spec?.guaranteed ?? {}), ...Object.keys(spec?.limit ?? {}), ...Object.keys(status?.usedMilli ?? {})]),
  ].sort();
  return [
    {
      kind: 'facts',
      facts: [
        ['Name', metadata?.name ?? ''],
        ['Labels', formatMap(metadata?.labels ?? {})],
        ['Created', formatTime(metadata?.creationTimestamp)],
        ['Parent', spec?.parent || '<none>'],
        ['Class', spec?.class || 'batch'],
        ['Held', spec?.hold === true ? 'yes: nothing starts' : 'no'],
        ['Weight', String(spec?.weight ?? 1)],
        ['Share', (status?.share ?? 0).toFixed(3)],
        ['Half-life', spec?.halfLife || '<none>'],
        ['Each user', perUser.join(', ') || 'unlimited'],
        ['Jobs', `${status?.running ?? 0} running, ${status?.pending ?? 0} pending`],
      ],
    },
    {
      kind: 'table',
      title: 'GPUs',
      heads: ['Model', 'Used', 'Guaranteed', 'Limit'],
      rows: models.map((model) => [
        model,
        String((status?.usedMilli[model] ?? 0) / gpuMilliPerGpu),
        String(spec?.guaranteed[model] ?? 0),
        String(spec?.limit[model] ?? 'unlimited'),
      ]),
      empty: 'none used, no limit',
    },
  ];
}
