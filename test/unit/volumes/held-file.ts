import type { File } from '../../../src/core/file-system.js'
import { settle } from '../../support/simulated-clock.js'

interface HeldCall {
  readonly resolve: (written: number) => void
  readonly reject: (error: unknown) => void
}

interface HeldWrite extends HeldCall {
  readonly position: number
  readonly bytes: Buffer
}

/** A file whose writes and syncs end when a test says so. */
export class HeldFile implements Pick<File, 'write' | 'sync'> {
  /** Calls so far, in order: `write 100+20` (position and bytes) and `sync`. */
  readonly calls: string[] = []
  #write: HeldWrite | undefined
  #sync: HeldCall | undefined

  /** The same, for code that takes a whole file. */
  get file(): File {
    return this as unknown as File
  }

  write(parts: readonly Uint8Array[], position: number): Promise<number> {
    if (this.#write !== undefined) throw new Error('two writes at a time')
    const bytes = Buffer.concat(parts)
    this.calls.push(`write ${position}+${bytes.byteLength}`)
    return new Promise((resolve, reject) => {
      this.#write = { position, bytes, resolve, reject }
    })
  }

  sync(): Promise<void> {
    if (this.#sync !== undefined) throw new Error('two syncs at a time')
    this.calls.push('sync')
    return new Promise((resolve, reject) => {
      this.#sync = { resolve: () => resolve(), reject }
    })
  }

  /** Ends the write that is under way. @param outcome - bytes written, or why it fails; default: all */
  async endWrite(outcome?: number | Error): Promise<HeldWrite> {
    const write = this.#write
    if (write === undefined) throw new Error('no write is under way')
    this.#write = undefined
    await this.#end(write, outcome ?? write.bytes.byteLength)
    return write
  }

  /** Ends the sync that is under way. */
  async endSync(error?: Error): Promise<void> {
    const sync = this.#sync
    if (sync === undefined) throw new Error('no sync is under way')
    this.#sync = undefined
    await this.#end(sync, error ?? 0)
  }

  async #end(call: HeldCall, outcome: number | Error): Promise<void> {
    if (typeof outcome === 'number') call.resolve(outcome)
    else call.reject(outcome)
    await settle()
  }
}
