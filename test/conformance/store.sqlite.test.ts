import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '#controller/adapters/sqlite/sqliteStore.ts';
import { storeConformance } from './store.ts';

storeConformance('the SQLite store', {
  histories: 12,
  newPlace: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shoal-store-'));
    return {
      open: () => openSqliteStore({ folder }),
      dispose: () => rm(folder, { recursive: true }),
    };
  },
});
