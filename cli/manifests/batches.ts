/** Most documents of one request: the server takes 5,000; smaller requests are acknowledged sooner. */
const batchDocumentsMax = 1000;
/** Most characters of one request's documents, well below the server's 8 MiB even where each character is three bytes. */
const batchCharsMax = 2 * 1024 * 1024;

/** In order. A document that is too large for a batch goes alone, and the server says what it thinks of it. */
export function* inBatches<T extends { readonly json: string }>(documents: readonly T[]): Generator<readonly T[]> {
  let batch: T[] = [];
  let chars = 0;
  for (const document of documents) {
    if (batch.length > 0 && (batch.length === batchDocumentsMax || chars + document.json.length > batchCharsMax)) {
      yield batch;
      batch = [];
      chars = 0;
    }
    batch.push(document);
    chars += document.json.length;
  }
  if (batch.length > 0) yield batch;
}
