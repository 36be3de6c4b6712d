/** Folders that programs write to. */
export interface Folders {
  /** Makes the folder where it is missing and tries to write to it. Answers why that cannot be; null: it can. */
  makeWritable(path: string): Promise<string | null>;
}
