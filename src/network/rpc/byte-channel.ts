/**
 * A reliable stream of bytes in both directions, whatever carries it. Both ends see the same bytes in the same order, cut
 * into pieces anyhow.
 */
export interface ByteChannel {
  /**
   * Takes bytes, which must not change afterwards. For a channel that has ended they are dropped.
   *
   * @returns false when no more should be sent before {@link drained}
   */
  send(bytes: Uint8Array): boolean
  /** Waits until there is room again. @throws when the channel ends first */
  drained(): Promise<void>
  /**
   * The other end's bytes at the pace at which they are asked for; little is read ahead. To be called once. It ends when
   * the other end closes, and throws when the channel breaks. The caller owns the pieces.
   */
  read(): AsyncIterable<Uint8Array>
  /** Sends nothing more. What was sent still arrives. Never rejects. */
  close(): Promise<void>
  /** Ends both directions at once; what is on its way is lost. */
  abort(reason: Error): void
}
