import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { assertNever } from '#vocabulary/assert.ts';
import { LineLog } from './lineLog.ts';
import { openDatabase, storeFileIn } from './openDatabase.ts';
import { storeErrorFrom } from './sqliteFailure.ts';
import {
  parseStoreWorkerData,
  type StoreAnswer,
  type StoreCall,
  type StoreReply,
  type StoreRequest,
  type StoreWorkerData,
} from './storeMessages.ts';

/** Entry of the store's thread: an fsync takes milliseconds, in which the controller's own thread has other things to do. */
function serveStore(port: MessagePort, { folder, maxBytes }: StoreWorkerData): void {
  const file = storeFileIn(folder);
  const reply = (message: StoreReply): void => port.postMessage(message);
  try {
    const log = new LineLog(openDatabase(folder, maxBytes), file);
    port.on('message', (request: StoreRequest) => {
      try {
        reply({ id: request.id, answer: answer(log, request.call) });
      } catch (error) {
        reply({ id: request.id, answer: failed(error, file) });
      }
      // Without its port the thread has nothing to wait for and ends.
      if (request.call.kind === 'close') port.close();
    });
    reply({ id: 0, answer: { kind: 'done' } });
  } catch (error) {
    reply({ id: 0, answer: failed(error, file) });
  }
}

function failed(error: unknown, file: string): StoreAnswer {
  const { code, message } = storeErrorFrom(error, file);
  return { kind: 'failed', code, message };
}

function answer(log: LineLog, call: StoreCall): StoreAnswer {
  switch (call.kind) {
    case 'append':
      log.append(call);
      return { kind: 'done' };
    case 'read':
      return { kind: 'lines', first: call.after + 1, lines: log.read(call.after, call.limit) };
    case 'head':
      return { kind: 'head', ...log.head() };
    case 'saveSnapshot':
      log.saveSnapshot(call);
      return { kind: 'done' };
    case 'loadSnapshot':
      return { kind: 'snapshot', snapshot: log.loadSnapshot() };
    case 'close':
      log.close();
      return { kind: 'done' };
    default:
      return assertNever(call);
  }
}

// The main thread loads this file too, to have it in the compile cache before the thread starts, and has no port.
if (parentPort !== null) serveStore(parentPort, parseStoreWorkerData(workerData));
