import { itemPath } from './fieldPath.ts';
import { excerpt, type Problems } from './fieldProblem.ts';

/** One problem for each item of a list that stands in it before. `describePath`: where the item's text is. */
export function judgeDistinct(path: string, values: readonly string[], problems: Problems, describePath = itemPath): void {
  const first = new Map<string, number>();
  for (const [index, value] of values.entries()) {
    const known = first.get(value);
    if (known === undefined) first.set(value, index);
    else problems.add(describePath(path, index), `${excerpt(value)} is given twice; first in ${describePath(path, known)}`);
  }
}
