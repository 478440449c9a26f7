/** A broken invariant: a bug in Sheaf, never a fault of a disk, a peer or a client. It ends the process. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError'
}

/** @throws {@link InvariantError} unless `condition` holds */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
