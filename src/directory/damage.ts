/**
 * The database holds something that this code never wrote. Not an I/O error: reading again will not help, rebuilding
 * will.
 */
export class DamageError extends Error {
  override readonly name = 'DamageError'
}

/*
 * LevelDB reports a table file that ends too early as an invalid argument, and a file that CURRENT or the manifest
 * names but that is not there as a failed open. Its synchronous reads throw without a code, so the message has to tell.
 */
const DAMAGE_MESSAGE = /^Corruption: |^IO error: .*: (No such file or directory|Invalid argument)$/s
const CAUSES_MAX = 8

/**
 * @returns what is damaged when the error says that the database's contents are, undefined for any other error (a full
 * or failing disk, a lock, a defect), which must never lead to the removal of a database
 */
export function damageOf(error: unknown): string | undefined {
  let cause = error
  for (let depth = 0; cause instanceof Error && depth < CAUSES_MAX; depth++) {
    if (cause instanceof DamageError || DAMAGE_MESSAGE.test(cause.message)) return cause.message
    cause = cause.cause
  }
  return undefined
}
