import { metadataOf } from '../print/canonical.ts';
import { followChanges, restarted } from './changes.ts';
import type { ControlClient } from './connection.ts';

/**
 * Resolves with true when the object with this uid is gone: deleted, never there, or followed by another of its name.
 * Undefined: aborted before. An empty uid stands for whichever object bears the name first.
 */
export async function untilGone(
  client: ControlClient,
  object: { readonly kind: string; readonly name: string; readonly uid: string },
  signal: AbortSignal,
): Promise<true | undefined> {
  let uid = object.uid;
  let present = false;
  for await (const change of followChanges(client, { kind: object.kind, names: [object.name] }, 0n, signal)) {
    if (change.type === restarted) {
      present = false;
      continue;
    }
    if (change.type === 'BOOKMARK') {
      if (!present) return true;
      continue;
    }
    if (change.type === 'DELETED') return true;
    const seen = change.resource === undefined ? '' : (metadataOf(change.resource)?.uid ?? '');
    if (uid === '') uid = seen;
    if (seen !== uid && seen !== '') return true;
    present = true;
  }
  return undefined;
}
