export interface Manifest {
  readonly kind: string;
  readonly name: string;
  /** As the server gets it. */
  readonly json: string;
  /** `train.yaml:12:5` for the field of a problem; empty: the document as a whole. */
  readonly where: (field: string) => string;
}

export interface Loaded {
  readonly manifests: readonly Manifest[];
  /** What could not be read, each beginning with its place. */
  readonly problems: readonly string[];
}
