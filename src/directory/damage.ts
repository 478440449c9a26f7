/**
 * The database holds something that this code never wrote. Unlike an I/O error it cannot be retried; the directory must be
 * rebuilt.
 */
export class DamageError extends Error {
  override readonly name = 'DamageError'
}

/*
 * LevelDB reports a truncated table file as an invalid argument, and a missing file that CURRENT or the manifest names as a
 * failed open. Its synchronous reads throw without a code, so the message must be matched.
 */
const DAMAGE_MESSAGE = /^Corruption: |^IO error: .*: (No such file or directory|Invalid argument)$/s
const CAUSES_MAX = 8

/**
 * @returns a description of the damage if the error reports damaged contents; undefined for any other error (a full or
 * failing disk, a lock, a bug), which must never lead to the removal of a database
 */
export function damageOf(error: unknown): string | undefined {
  let cause = error
  for (let depth = 0; cause instanceof Error && depth < CAUSES_MAX; depth++) {
    if (cause instanceof DamageError || DAMAGE_MESSAGE.test(cause.message)) return cause.message
    cause = cause.cause
  }
  return undefined
}
