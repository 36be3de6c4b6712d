/**
 * Orders of so many, shuffled. The sequence is fixed (the 32-bit generator of Numerical Recipes): a decision has no other
 * randomness than its inputs.
 */
export function shuffler(places: number): () => Int32Array {
  const order = Int32Array.from({ length: places }, (_, place) => place);
  let seed = 1;
  return () => {
    for (let at = order.length - 1; at > 0; at -= 1) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      const other = Math.floor((seed / 2 ** 32) * (at + 1));
      [order[at], order[other]] = [order[other] ?? 0, order[at] ?? 0];
    }
    return order.slice();
  };
}
