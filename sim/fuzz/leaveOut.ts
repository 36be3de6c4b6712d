/** Offers the list without halves, quarters and so on down to single items. `read` is asked anew each time: an offer that was taken has changed the list. */
export function leaveOut<T>(read: () => readonly T[], offer: (items: readonly T[]) => boolean): void {
  for (let size = Math.ceil(read().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    // From the end: what comes late needs what came early, seldom the other way.
    for (let end = read().length; end > 0; end = Math.min(end - size, read().length)) {
      const items = read();
      offer([...items.slice(0, Math.max(0, end - size)), ...items.slice(end)]);
    }
  }
}
