import type { Worker } from 'node:worker_threads'
import { receivedError } from '../../core/sent-error.js'
import { startThread } from '../../core/thread.js'
import type { Features } from '../../domain/features.js'
import type { Embedder, TextEmbedding } from './embedder.js'
import type { EmbedderRequest, NumberedEmbedderAnswer, NumberedEmbedderRequest } from './embedder-messages.js'
import type { LoadedModel } from './model-spec.js'

interface PendingCall {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

/** An embedder in a thread of its own, so that it does not block the caller. If the thread fails, the process ends. */
export class ThreadedEmbedder implements Pick<Embedder, 'image' | 'text' | 'release'> {
  readonly #thread: Worker
  readonly #pendingCalls = new Map<number, PendingCall>()
  #lastNumber = 0

  private constructor(model: LoadedModel) {
    this.#thread = startThread(import.meta.url, 'embedder-thread', { workerData: model })
    this.#thread.on('message', (answer: NumberedEmbedderAnswer) => this.#onAnswer(answer))
    this.#thread.on('error', err => {
      throw err
    })
  }

  /** @throws `ERR_MODEL_INVALID` */
  static async load(model: LoadedModel): Promise<ThreadedEmbedder> {
    const embedder = new ThreadedEmbedder(model)
    try {
      await embedder.#answer(0)
    } catch (err) {
      await embedder.release()
      throw err
    }
    return embedder
  }

  /** @see Embedder.image */
  async image(pixels: Uint8Array): Promise<Features> {
    return (await this.#ask({ kind: 'image', pixels })) as Features
  }

  /** @see Embedder.text */
  async text(text: string): Promise<TextEmbedding> {
    return (await this.#ask({ kind: 'text', text })) as TextEmbedding
  }

  /** Call when no request is in flight. */
  async release(): Promise<void> {
    await this.#thread.terminate()
  }

  #ask(request: EmbedderRequest): Promise<unknown> {
    const numbered: NumberedEmbedderRequest = { number: ++this.#lastNumber, request }
    this.#thread.postMessage(numbered)
    return this.#answer(numbered.number)
  }

  #answer(number: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#pendingCalls.set(number, { resolve, reject }))
  }

  #onAnswer(answer: NumberedEmbedderAnswer): void {
    const waiting = this.#pendingCalls.get(answer.number)
    this.#pendingCalls.delete(answer.number)
    if ('error' in answer) waiting?.reject(receivedError(answer.error))
    else waiting?.resolve(answer.answer)
  }
}
