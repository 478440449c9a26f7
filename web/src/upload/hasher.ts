import type { HashAnswer, HashRequest } from './hash-messages.js'
import workerAddress from './hash-worker.ts?worker&url'

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { readonly createScriptURL: (address: string) => string }
  ): { createScriptURL(address: string): string }
}

/** Makes digests of files in a thread, so that the page stays swift. */
export class Hasher {
  #worker: Worker | undefined
  #nextId = 1
  readonly #waiting = new Map<number, (answer: HashAnswer) => void>()

  /** @returns SHA-256, hex @throws when the file cannot be read, or the signal is aborted */
  async hash(file: Blob, signal: AbortSignal): Promise<string> {
    const id = this.#nextId++
    this.#worker ??= this.#start()
    const { hex } = await new Promise<HashAnswer>(resolve => {
      this.#waiting.set(id, resolve)
      signal.addEventListener('abort', () => resolve({ id }), { once: true })
      this.#worker?.postMessage({ id, file } satisfies HashRequest)
    })
    this.#waiting.delete(id)
    if (hex === undefined || signal.aborted) throw new Error('not hashed')
    return hex
  }

  #start(): Worker {
    const worker = new Worker(trusted(workerAddress), { type: 'module' })
    worker.addEventListener('message', ({ data }: MessageEvent<HashAnswer>) => this.#waiting.get(data.id)?.(data))
    worker.addEventListener('error', () => {
      for (const [id, resolve] of this.#waiting) resolve({ id })
    })
    return worker
  }
}

/** The address of a worker has to come through a policy of Trusted Types, where the browser knows these. */
function trusted(address: string): string {
  const { trustedTypes } = window as { readonly trustedTypes?: TrustedTypes }
  return trustedTypes?.createPolicy('sheaf', { createScriptURL: it => it }).createScriptURL(address) ?? address
}
