import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { SheafError } from '../../core/errors.js'
import type { Terminal } from './terminal.js'

/** Where answers come from; `process.stdin` is one. */
export type Input = Readable & { readonly isTTY?: boolean }

export interface ConfirmationComponents {
  readonly terminal: Terminal
  /** Opened when something is asked. */
  readonly stdin: () => Input
  /** Ends the wait for an answer. */
  readonly signal: AbortSignal
}

/**
 * Asks a person before what cannot be taken back; any answer but yes is no, and is said to be.
 *
 * @param warning - what is about to happen, a sentence
 * @param isSure - nothing is asked: the answer was given on the command line
 * @throws `ERR_USAGE` when nobody can be asked
 */
export async function confirm(
  { terminal, stdin, signal }: ConfirmationComponents,
  warning: string,
  isSure = false
): Promise<boolean> {
  if (isSure) return true
  const input = stdin()
  if (!terminal.interactive || input.isTTY !== true)
    throw new SheafError('ERR_USAGE', `${warning} There is no terminal to ask on: give --yes if that is meant`)
  terminal.prompt(`${warning} Continue? [y/N] `)
  const answer = await readLine(input, signal)
  if (/^\s*y(es)?\s*$/i.test(answer)) return true
  terminal.note('nothing was changed')
  return false
}

/** @returns an empty text at the end of the input */
async function readLine(input: Input, signal: AbortSignal): Promise<string> {
  const lines = createInterface({ input, signal })
  try {
    const { value, done } = await lines[Symbol.asyncIterator]().next()
    signal.throwIfAborted()
    return done === true ? '' : value
  } finally {
    lines.close()
  }
}
