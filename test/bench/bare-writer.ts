import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** The yardstick of writes: `bare-writer-main.ts` in a process of its own. */
export class BareWriter {
  readonly url: string
  readonly #child: ChildProcess

  private constructor(port: number, child: ChildProcess) {
    this.url = `http://127.0.0.1:${port}`
    this.#child = child
  }

  /** @param file - what it appends to; it must not exist */
  static async start(file: string): Promise<BareWriter> {
    const main = fileURLToPath(new URL('./bare-writer-main.ts', import.meta.url))
    const child = fork(main, [file], { execArgv: ['--import', 'tsx'] })
    const port = await Promise.race([
      once(child, 'message').then(([port]) => port as number),
      once(child, 'exit').then(([code]) => {
        throw new Error(`the bare loop ended with ${code}`)
      })
    ])
    return new BareWriter(port, child)
  }

  get pid(): number {
    return this.#child.pid as number
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}
