/** Makes sure that one controller at a time acts on a store. Adapter: a lock on a file beside the SQLite store. */
export interface Leadership {
  /** Resolves when this process is the leader; throws when another holds it (names its pid) or the signal aborts. */
  acquire(signal: AbortSignal): Promise<void>;
  /** Gives it up; another may acquire at once. Also happens when the process dies. */
  release(): Promise<void>;
}
