import { type ChildProcess, fork } from 'node:child_process'
import { env } from 'node:process'
import { SheafError } from '../../core/errors.js'
import { siblingProgram } from '../../core/program.js'
import type {
  GraphAnswers,
  GraphRequestKind,
  GraphRequestOf,
  NumberedGraphAnswer,
  NumberedGraphRequest
} from './graph-messages.js'

/** Little: what the process holds is in the library's memory, not in the heap. */
const HEAP_FLAGS = ['--max-old-space-size=128', '--max-semi-space-size=1']
/**
 * For glibc: one arena, since one thread allocates; and every large block is a mapping of its own, so that growing it moves
 * pages and leaves no hole, and freeing it gives them back.
 */
const MALLOC = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '131072' }
const STDERR_TAIL_LENGTH = 2_000

/** The only environment variables passed on. */
const ENVIRONMENT = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot', 'TMPDIR', 'TMP', 'TEMP']

interface PendingCall {
  readonly resolve: (answer: GraphAnswers[GraphRequestKind]) => void
  readonly reject: (error: SheafError) => void
}

/**
 * The node's end of the process that holds the graphs. A process, not a thread: where memory runs out, it ends, and not the
 * node, and the indexes are opened again.
 */
export class GraphProcess {
  readonly #process: ChildProcess
  readonly #exit: Promise<void>
  readonly #pendingCalls = new Map<number, PendingCall>()
  #lastNumber = 0
  #end: SheafError | undefined
  #stderrTail = ''

  /** @param onEnd - called once, when it ends without having been stopped */
  constructor(onEnd: (end: SheafError) => void) {
    const { path, execArgv } = siblingProgram(import.meta.url, 'graph-process-main')
    const passedOn = ENVIRONMENT.flatMap(name => (env[name] === undefined ? [] : [[name, env[name]]]))
    this.#process = fork(path, [], {
      env: { ...Object.fromEntries(passedOn), ...MALLOC },
      execArgv: [...execArgv, ...HEAP_FLAGS],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    })
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_LENGTH)
    })
    this.#process.on('message', message => this.#receive(message as NumberedGraphAnswer))
    this.#exit = new Promise(resolve => {
      const end = (how: string): void => {
        if (this.#end === undefined) onEnd(this.#settleAll(how))
        resolve()
      }
      this.#process.on('error', err => end(err.message)) // failed to start
      this.#process.on('close', (code, signal) => end(`${code ?? signal}`))
    })
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  /** Undefined when it failed to start. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  /** @throws `ERR_INDEX_UNAVAILABLE` when the process has ended or ends, or says that it failed */
  ask<Kind extends GraphRequestKind>(request: GraphRequestOf<Kind>): Promise<GraphAnswers[Kind]> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end)
      const number = ++this.#lastNumber
      this.#pendingCalls.set(number, { resolve: answer => resolve(answer as GraphAnswers[Kind]), reject })
      const numbered: NumberedGraphRequest = { number, request }
      this.#process.send(numbered, err => {
        if (err !== null) this.#settle(number)?.reject(unavailable(err.message))
      })
    })
  }

  async stop(): Promise<void> {
    this.#settleAll('it was stopped')
    this.#process.kill('SIGKILL')
    await this.#exit
  }

  #receive(answer: NumberedGraphAnswer): void {
    const call = this.#settle(answer.number)
    if ('error' in answer) call?.reject(unavailable(answer.error))
    else call?.resolve(answer.answer)
  }

  #settle(number: number): PendingCall | undefined {
    const call = this.#pendingCalls.get(number)
    this.#pendingCalls.delete(number)
    return call
  }

  /** Fails all calls, those to come included. @returns with what */
  #settleAll(how: string): SheafError {
    this.#end ??= unavailable(`the process of the indexes ended: ${how} ${this.#stderrTail}`.trim())
    for (const { reject } of this.#pendingCalls.values()) reject(this.#end)
    this.#pendingCalls.clear()
    return this.#end
  }
}

function unavailable(message: string): SheafError {
  return new SheafError('ERR_INDEX_UNAVAILABLE', message)
}
