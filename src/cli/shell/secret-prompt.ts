import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { SheafError } from '../../core/errors.js'
import type { ConfirmationComponents, Input } from './confirmation.js'
import type { Terminal } from './terminal.js'

/** A line is no longer, UTF-8. */
const LINE_BYTES_MAX = 4_096

export interface SecretQuestion {
  /** Such as `Password`. */
  readonly text: string
  /** A typo would go unseen, so a person is asked twice. */
  readonly isNew?: boolean
}

/**
 * Asks for secrets: a person on the terminal, where nothing that is typed shows; a program gives one line of stdin for each.
 *
 * @returns an answer to each question, none empty
 * @throws `ERR_USAGE` when there is none, one is too long, or a person types two different ones
 */
export async function askSecrets(
  { terminal, stdin, signal }: ConfirmationComponents,
  questions: readonly SecretQuestion[]
): Promise<string[]> {
  const input = stdin()
  const isAsked = input.isTTY === true
  if (isAsked && !terminal.interactive)
    throw new SheafError('ERR_USAGE', 'a password cannot be asked for while stderr is no terminal')
  const lines = isAsked ? typedLines(input, terminal, signal) : pipedLines(input, signal)
  try {
    const answers: string[] = []
    for (const { text, isNew = false } of questions) {
      const answer = await nextLine(lines, terminal, isAsked ? text : undefined)
      if (answer === '') throw new SheafError('ERR_USAGE', `there is no ${text.toLowerCase()}: it is a line of stdin`)
      if (isAsked && isNew && answer !== (await nextLine(lines, terminal, `${text}, again`)))
        throw new SheafError('ERR_USAGE', 'the two are not the same; nothing was changed')
      answers.push(answer)
    }
    return answers
  } finally {
    await lines.return(undefined)
  }
}

/** @param question - undefined: nobody is there to read it. @returns an empty text at the end of the input */
async function nextLine(lines: Lines, terminal: Terminal, question: string | undefined): Promise<string> {
  if (question !== undefined) terminal.prompt(`${question}: `)
  const { value = '' } = await lines.next()
  if (question !== undefined) terminal.prompt('\n')
  if (Buffer.byteLength(value) > LINE_BYTES_MAX)
    throw new SheafError('ERR_USAGE', `a password of more than ${LINE_BYTES_MAX} bytes is nobody's`)
  return value
}

interface Lines {
  next(): Promise<{ readonly value?: string | undefined }>
  return(value: undefined): Promise<unknown>
}

/** What a person types line by line, edited as usual, but not shown. */
function typedLines(input: Input, terminal: Terminal, signal: AbortSignal): Lines {
  const nowhere = new Writable({ write: (_piece, _encoding, done) => done() })
  const editor = createInterface({ input, output: nowhere, terminal: true, historySize: 0, signal })
  const interrupted = new AbortController()
  editor.once('SIGINT', () => {
    interrupted.abort(new SheafError('ERR_USAGE', 'interrupted; nothing was changed'))
    terminal.prompt('\n')
    editor.close()
  })
  const lines = editor[Symbol.asyncIterator]()
  return {
    next: async () => {
      const { value, done } = await lines.next()
      signal.throwIfAborted()
      interrupted.signal.throwIfAborted()
      return { value: done === true ? undefined : value }
    },
    return: async () => editor.close()
  }
}

/** The lines of a stream, of which no more is read than is needed. */
async function* pipedLines(input: Input, signal: AbortSignal): AsyncGenerator<string, undefined, undefined> {
  const aborted = (): void => void input.destroy()
  signal.addEventListener('abort', aborted, { once: true })
  try {
    const decoder = new TextDecoder()
    let text = ''
    for await (const piece of input) {
      const lines = (text + decoder.decode(Buffer.from(piece), { stream: true })).split(/\r?\n/)
      text = lines.pop() ?? ''
      yield* lines
      if (text.length > LINE_BYTES_MAX) break // no password: the rest is not read
    }
    signal.throwIfAborted()
    yield text
  } finally {
    signal.removeEventListener('abort', aborted)
  }
}
