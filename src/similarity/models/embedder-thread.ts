/* The thread of a threaded embedder: see embedder-messages.ts. It ends by being terminated. */
import { parentPort, workerData } from 'node:worker_threads'
import { invariant } from '../../core/invariant.js'
import { sentError } from '../../core/sent-error.js'
import { Embedder } from './embedder.js'
import type {
  EmbedderAnswer,
  EmbedderRequest,
  NumberedEmbedderAnswer,
  NumberedEmbedderRequest
} from './embedder-messages.js'
import type { LoadedModel } from './model-spec.js'

const port = parentPort
invariant(port !== null, 'this module is a thread')
const loading = Embedder.load(workerData as LoadedModel)

answer(0, whenLoaded())
port.on('message', ({ number, request }: NumberedEmbedderRequest) => answer(number, embed(request)))

async function whenLoaded(): Promise<undefined> {
  await loading
}

async function embed(request: EmbedderRequest): Promise<EmbedderAnswer> {
  const embedder = await loading
  return request.kind === 'image' ? embedder.image(request.pixels) : embedder.text(request.text)
}

function answer(number: number, result: Promise<EmbedderAnswer>): void {
  const send = (message: NumberedEmbedderAnswer): void => port?.postMessage(message)
  result.then(
    value => send({ number, answer: value }),
    (err: unknown) => send({ number, error: sentError(err) })
  )
}
