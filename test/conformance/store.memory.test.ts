import { MemoryDisk, openMemoryStore } from '#controller/adapters/memory/memoryStore.ts';
import { storeConformance } from './store.ts';

storeConformance('the memory store', {
  histories: 500,
  newPlace: () => {
    const disk = new MemoryDisk();
    return Promise.resolve({
      open: () => openMemoryStore(disk),
      dispose: () => Promise.resolve(),
    });
  },
});
