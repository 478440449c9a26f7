/** An object as a listing shows it. */
export interface StoredObject {
  readonly name: string
  /** By the store's clock, ms since the Unix epoch; 0 where it keeps none. */
  readonly modifiedMs: number
}

/**
 * Objects by name, somewhere else. Each is small enough to be held in memory, so that its length is known before it is sent,
 * and is never changed: what has another content has another name. One contract suite tests every implementation.
 *
 * Every call throws `ERR_ARCHIVE_UNREACHABLE` (away, slow, overloaded: worth trying again), `ERR_ARCHIVE_REFUSED`,
 * `ERR_ARCHIVE_FULL` or `ERR_ARCHIVE_CLOCK`; when the signal aborts, its reason.
 */
export interface ObjectStore {
  /** Replaces an object of the same name. */
  put(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void>
  /**
   * @returns all bytes, which the caller owns; undefined: there is no such object
   * @throws `ERR_ARCHIVE_DAMAGED` when there are more than `byteCountMax`
   */
  get(name: string, byteCountMax: number, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Objects whose name begins with `prefix`, in any order. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<StoredObject>
  /** Does nothing if there is no such object. */
  remove(name: string, signal: AbortSignal): Promise<void>
  /** Gives connections back. */
  close(): void
}
