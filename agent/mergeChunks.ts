/** What several sources give, as it comes; a slow reader holds all of them back. Leaving early ends every source. */
export async function* mergeChunks<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const pending = new Map<AsyncGenerator<T>, Promise<{ readonly source: AsyncGenerator<T>; readonly next: IteratorResult<T> }>>();
  const ask = (source: AsyncGenerator<T>): void => {
    pending.set(
      source,
      source.next().then((next) => ({ source, next })),
    );
  };
  for (const source of sources) ask(source);
  try {
    while (pending.size > 0) {
      const { source, next } = await Promise.race(pending.values());
      pending.delete(source);
      if (next.done === true) continue;
      yield next.value;
      ask(source);
    }
  } finally {
    await Promise.all([...pending.keys()].map((source) => source.return(undefined)));
  }
}
