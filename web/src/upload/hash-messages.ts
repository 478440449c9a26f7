/** To the thread that makes digests. */
export interface HashRequest {
  readonly id: number
  readonly file: Blob
}

/** And back. */
export interface HashAnswer {
  readonly id: number
  /** SHA-256; undefined: the file cannot be read. */
  readonly hex?: string
}
