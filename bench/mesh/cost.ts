import { totalMicros } from '#vocabulary/meshRecord.ts';
import { decideMesh } from './decide.ts';
import { fragmentedRoom } from './fragmentedRoom.ts';
import { meshes } from './meshes.ts';

const seeds = 20;

/** What a fabric lets out of a rack, a block and a zone, in GB/s for each GPU; cards have 50. */
const fabrics: readonly (readonly [name: string, bandwidths: Readonly<Record<string, number>>])[] = [
  ['defaults: 4:1 out of a rack, 8:1 out of a block, 32:1 out of a zone', {}],
  ['2:1 out of a rack, 4:1 out of a block, 8:1 out of a zone', { block: 25, zone: 12.5, cluster: 6.25 }],
  ['1:1 inside a zone (nothing to gain but between zones), 7:1 out of it', { block: 50, zone: 50, cluster: 50 / 7 }],
];

/** 2,048 GPUs on 10,000 of which half are free, the mean of so many clusters. */
export function measureCost(): void {
  const rooms = Array.from({ length: seeds }, (_, at) => fragmentedRoom(1_250, at + 1));
  console.log(`  predicted communication of a step, mean of ${seeds} clusters; less than packed: mean (least, most)`);
  for (const [fabric, bandwidths] of fabrics) {
    console.log(`  ${fabric}`);
    const saved: number[] = [];
    for (const [name, axes] of Object.entries(meshes)) {
      const records = rooms.map((room) => decideMesh(room, axes, bandwidths).record);
      const less = records.map((record) => 1 - totalMicros(record) / record.packedMicros);
      saved.push(mean(less));
      const seconds = (micros: readonly number[]): string => (mean(micros) / 1e6).toFixed(3);
      const row = [
        name.padEnd(42),
        `mesh ${seconds(records.map(totalMicros))} s`,
        `packed ${seconds(records.map(({ packedMicros }) => packedMicros))} s`,
        `random ${seconds(records.map(({ randomMicros }) => randomMicros))} s`,
        `less than packed ${percent(mean(less))} (${percent(Math.min(...less))}, ${percent(Math.max(...less))})`,
        `less than random ${percent(mean(records.map((record) => 1 - totalMicros(record) / record.randomMicros)))}`,
      ];
      console.log(`    ${row.join('   ')}`);
    }
    console.log(`    mean of the five: ${percent(mean(saved))} less than packed`);
  }
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

/** Shares are rounded: what is 0 within a millionth has no sign. */
const percent = (share: number): string => `${(Math.abs(share) < 1e-6 ? 0 : share * 100).toFixed(1)} %`;
