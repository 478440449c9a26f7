/** A broken invariant: a bug in Sheaf, never a fault of a disk, a peer or a client. It ends the process. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/**
 * Whoever catches the error, be it a worker that would try again or an answer to a peer, cannot keep the process alive: it
 * is thrown once more where nothing catches it.
 *
 * @throws {@link InvariantError} unless `condition` holds
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (condition) return
  const error = new InvariantError(message)
  queueMicrotask(() => {
    throw error
  })
  throw error
}
