/**
 * A reliable stream of bytes in both directions. Both ends see the same bytes in the same order; pieces need not arrive
 * as they were sent.
 */
export interface ByteChannel {
  /**
   * Takes bytes, which must not change afterwards. A channel that has ended drops them.
   *
   * @returns false when nothing more should be sent before {@link drained}
   */
  send(bytes: Uint8Array): boolean
  /** Waits until there is room again. @throws when the channel ends first */
  drained(): Promise<void>
  /**
   * Yields the other end's bytes at the caller's pace; little is read ahead. To be called once. It ends when the other end
   * closes, and throws when the channel breaks. The caller owns the pieces.
   */
  read(): AsyncIterable<Uint8Array>
  /** Ends sending. Bytes already sent still arrive. Never rejects. */
  close(): Promise<void>
  /** Ends both directions at once; bytes in flight are lost. */
  abort(reason: Error): void
}
