import type { NodeFacts } from '#core/schedule/capacity/capacity.ts';
import { Capacity } from '#core/schedule/capacity/capacity.ts';
import { Room } from '#core/schedule/capacity/room.ts';
import type { WorkerShape } from '#core/schedule/capacity/shape.ts';
import type { ShapeRequest } from '#core/schedule/fragmentation.ts';
import { findPlacement, holdsOf, unitsOf } from '#core/schedule/gang/findPlacement.ts';
import { anywhere } from '#core/schedule/gang/gangRequest.ts';
import { compareThrift, findThrift } from '#core/schedule/gang/thrift.ts';
import { outlookOf } from '#core/schedule/leftover.ts';
import { lookAtPopular, noPopularShapes, notePopular } from '#core/schedule/popularShapes.ts';
import { nodeName } from '#vocabulary/ids.ts';
import { gpuMilliPerGpu } from '#vocabulary/units.ts';
import type { Placer } from './inflation.ts';
import type { OpenbNode } from './openbLists.ts';

/** The placement code of the controller's passes: a gang of one worker, on one model after the other. `learns`: it knows what was asked before. */
export function placeLive(nodes: readonly OpenbNode[], { learns }: { readonly learns: boolean }): Placer {
  const room = new Room(Capacity.of(nodes.map(factsOf), 1));
  const popular = noPopularShapes();
  return (pod) => {
    notePopular(popular, pod);
    lookAtPopular(popular);
    if (learns) room.outlook = outlookOf(popular.shapes);
    for (const shape of shapesOf(room, pod)) {
      const spots = findPlacement(room, gangOf(shape))?.[0];
      if (spots === undefined) continue;
      for (const hold of holdsOf(null, shape, spots)) room.capacity.take(hold);
      return true;
    }
    return false;
  };
}

const gangOf = (shape: WorkerShape) => anywhere([{ workers: 1, shape, segments: [] }]);

/** Of each model that the pod takes, in the order in which a pass tries them. */
function shapesOf(room: Room, pod: ShapeRequest): readonly WorkerShape[] {
  const { gpus, cpuMilli, memoryBytes } = pod;
  const shape = { gpus, gpuMilli: gpus === 0 ? gpuMilliPerGpu : pod.gpuMilli, cpuMilli, memoryBytes };
  if (gpus === 0) return [{ ...shape, model: null }];
  if (pod.models.length > 0) return pod.models.map((model) => ({ ...shape, model }));
  const ranked = room.capacity.models.map((model) => {
    const request = gangOf({ ...shape, model });
    const [group] = request.groups;
    return {
      shape: { ...shape, model },
      thrift: group === undefined ? undefined : findThrift(room, request, () => unitsOf(room, request, group).counts),
    };
  });
  return ranked.sort((left, right) => compareThrift(left.thrift, right.thrift)).map((each) => each.shape);
}

function factsOf({ name, room }: OpenbNode): NodeFacts {
  return {
    name: nodeName(name),
    path: [],
    open: true,
    cpuMilli: room.cpuMilliFree,
    memoryBytes: room.memoryBytesFree,
    labels: {},
    gpus: room.gpuMilliFree.map((_, index) => ({ index, model: room.model, nvlinkDomain: null, healthy: true })),
  };
}
