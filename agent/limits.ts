/** Everything that could grow, and how far it may. */
import { assert } from '#vocabulary/assert.ts';

export const limits = {
  /** Names of ended workers that are remembered after their record is gone. */
  forgottenMax: 4096,
  /** The journal is rewritten when it is longer than this and four times what it was after the last rewriting. */
  journalRewriteBytes: 1024 * 1024,
  /** Between two tries to write to a journal that cannot be written (disk full). */
  journalRetryMs: 1000,
  /** One entry of the journal: an assignment of a full node with large environments. */
  journalLineBytesMax: 64 * 1024 * 1024,
  /** Body of a request to the workload API. */
  workloadBodyBytesMax: 64 * 1024,
  /** Connections to one worker's socket. */
  workloadConnectionsMax: 256,
  /** Longest long poll of /v1/suspend. */
  suspendWaitMsMax: 60_000,
  /** How long a checkpoint waits for the controller's receipt before it is answered with `committed: false`. */
  checkpointReceiptMs: 5000,
  /** Between two reports that carry a change. */
  reportGapMs: 20,
  /** From connecting to Welcome. */
  welcomeMs: 10_000,
  /** Silence after which a session is given up, in heartbeats. */
  silentHeartbeats: 3,
  /** Heartbeats that a controller may ask for. */
  heartbeatMsMin: 50,
  heartbeatMsMax: 60_000,
  /** Log requests served at the same time. */
  logStreamsMax: 64,
  /** Output of one rank and stream: the current file and older parts. */
  rankLogs: { fileBytes: 16 * 1024 * 1024, files: 4 },
  /** Age at which readings of the GPUs are taken again. */
  sampleAgeMs: 1000,
} as const;

assert(limits.reportGapMs < limits.heartbeatMsMin, 'a heartbeat never has to wait for the gap between reports');
assert(limits.checkpointReceiptMs < limits.suspendWaitMsMax, 'a program hears of its checkpoint before its long poll ends');
