import type { Clock } from '../../core/clock.js'
import { hasCode, SheafError, systemErrorCode } from '../../core/errors.js'
import type { Random } from '../../core/random.js'
import type { Credentials } from './credentials.js'
import { printable } from './human.js'
import type { NodeAddress, NodeClient } from './node-client.js'
import type { SecretQuestion } from './secret-prompt.js'
import type { Terminal } from './terminal.js'

/** 0 done, 1 failed, 2 wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2

/** What a client command is given. */
export interface Session {
  readonly client: NodeClient
  readonly node: NodeAddress
  /** The log-in that is kept for the node. */
  readonly login: Pick<Credentials, 'kept' | 'keep' | 'forget'>
  readonly terminal: Terminal
  readonly clock: Clock
  readonly random: Random
  /** Print JSON, one value per line. */
  readonly json: boolean
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal
  /** Asks before what cannot be taken back, see `confirmation.ts`. @throws `ERR_USAGE` when nobody can be asked */
  confirm(warning: string, isSure: boolean | undefined): Promise<boolean>
  /** Asks for passwords, see `secret-prompt.ts`. @returns an answer to each. @throws `ERR_USAGE` */
  secrets(questions: readonly SecretQuestion[]): Promise<string[]>
}

/** Prints a value as a line of JSON. */
export function printJson(session: Session, value: unknown): Promise<void> {
  return session.terminal.print(JSON.stringify(value))
}

const SYSTEM_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'is a folder',
  ENOTDIR: 'part of the path is not a folder',
  ENOSPC: 'no space left on the disk',
  EROFS: 'the file system is read only',
  ELOOP: 'too many links',
  ENAMETOOLONG: 'the name is too long'
}

/** @returns what went wrong; its first line ends with the code that a user can look up */
export function describeError(err: unknown): string {
  const { code, detail } = errorJson(err)
  const [first = '', ...more] = detail.split('\n').map(printable)
  return [code === undefined ? first : `${first} (${code})`, ...more].join('\n')
}

/** For commands that continue after a failure. @throws `err` when they cannot: an interrupt, or the node is gone */
export function throwIfOver(session: Session, err: unknown): void {
  session.signal.throwIfAborted()
  if (hasCode(err, 'ERR_NODE_UNREACHABLE')) throw err
}

/** Says on stderr that one of several things failed. */
export function noteFailure(session: Session, subject: string, err: unknown): void {
  session.terminal.note(`sheaf: ${printable(subject)}: ${describeError(err)}`)
}

/** @returns an error as `--json` shows it; `code` is Sheaf's or the system's */
export function errorJson(err: unknown): { readonly code: string | undefined; readonly detail: string } {
  if (err instanceof SheafError) return { code: err.code, detail: err.message }
  const code = systemErrorCode(err)
  const message = err instanceof Error ? err.message : String(err)
  return { code, detail: SYSTEM_PROBLEMS[code ?? ''] ?? message }
}
