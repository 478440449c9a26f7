import type { FastifyInstance } from 'fastify'
import type { ListedPhoto } from '../../../photos/photo-types.js'
import { streamAnswer } from '../../wire/answer-stream.js'
import { whileConnected } from '../../wire/while-connected.js'
import { photoJson } from '../json-forms.js'
import { logCutOff, type RouteContext } from '../route-context.js'
import { dumpSchema } from '../schemas/node-schemas.js'

/** Lines are sent in chunks of about this size. */
const PIECE_CHARACTERS = 32 * 1024
const HEADERS = {
  'content-type': 'application/x-ndjson',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff'
}

/** `GET /sync/full-dump`: a snapshot of all live records, one JSON object per line, streamed. */
export function addFullDumpRoute(app: FastifyInstance, context: RouteContext): void {
  app.route({
    method: ['GET', 'HEAD'],
    url: '/sync/full-dump',
    exposeHeadRoute: false,
    schema: dumpSchema,
    handler: async (request, reply) => {
      const { raw: response } = reply
      const writeHead = (): void => {
        reply.hijack()
        response.writeHead(200, HEADERS)
      }
      if (request.method === 'HEAD') {
        writeHead()
        response.end()
        return
      }
      const onCut = (error: unknown): void => logCutOff(context, error, response)
      const { socket } = request.raw
      await whileConnected(request, signal =>
        context.gates.dumps.pass(signal, () =>
          streamAnswer(linesOf(context.seenBy(request).photos.dump()), { response, socket, writeHead, onCut })
        )
      )
    }
  })
}

async function* linesOf(photos: AsyncIterable<Omit<ListedPhoto, 'copies'>>): AsyncGenerator<Uint8Array> {
  let piece = ''
  for await (const photo of photos) {
    piece += `${JSON.stringify(photoJson(photo))}\n`
    if (piece.length < PIECE_CHARACTERS) continue
    yield Buffer.from(piece)
    piece = ''
  }
  if (piece !== '') yield Buffer.from(piece)
}
