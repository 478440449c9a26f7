/** Progress of a long operation. */
export interface Progress {
  readonly done: number
  /** Undefined until known. */
  readonly total: number | undefined
  /** What is counted, e.g. `bytes`, `volumes`. */
  readonly unit: string
}
