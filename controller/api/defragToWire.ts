import type { MessageInitShape } from '@bufbuild/protobuf';
import type { DefragPlan, Holes } from '#core/schedule/defrag/defragPlan.ts';
import type { DefragResponseSchema, HolesSchema } from '#gen/shoal/v1/defrag_pb.js';
import { placeToWire } from './jobToWire.ts';

export function defragToWire({ moves, before, after }: DefragPlan, revision: number): MessageInitShape<typeof DefragResponseSchema> {
  return {
    moves: moves.map((move) => ({
      job: move.name,
      from: move.from.map(placeToWire),
      to: move.placement.map(placeToWire),
      cost: String(move.cost),
    })),
    before: holesToWire(before),
    after: holesToWire(after),
    revision: BigInt(revision),
  };
}

function holesToWire({ scatteredMilli, free }: Holes): MessageInitShape<typeof HolesSchema> {
  return { scatteredGpuMilli: BigInt(scatteredMilli), free: free.map(({ level, domains }) => ({ level, domains })) };
}
