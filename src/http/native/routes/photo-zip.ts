import type { FastifyInstance } from 'fastify'
import type { ListFilters } from '../../../photos/photo-types.js'
import { PhotoZip } from '../../../photos/photo-zip.js'
import { streamAnswer } from '../../wire/answer-stream.js'
import { whileConnected } from '../../wire/while-connected.js'
import { logCutOff, type RouteContext, requirePhotoId } from '../route-context.js'
import { zipSchema } from '../schemas/zip-schema.js'
import { filtersBy } from '../who-asks.js'

const HEADERS = {
  'content-type': 'application/zip',
  'content-disposition': 'attachment; filename="photos.zip"',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff'
}

/** `GET /photos/zip`: the originals of a list, or of some photos, in one file. */
export function addPhotoZipRoute(app: FastifyInstance, context: RouteContext): void {
  app.get<{ Querystring: ListFilters & { readonly id?: readonly string[] } }>(
    '/photos/zip',
    { schema: zipSchema },
    async (request, reply) => {
      const { raw: response } = reply
      const { id, ...filters } = filtersBy(request, request.query)
      const query = { ...filters, ids: id?.map(requirePhotoId) }
      const zip = new PhotoZip(context.seenBy(request).photos)
      const writeHead = (): void => {
        reply.hijack()
        response.writeHead(200, HEADERS)
      }
      const onCut = (error: unknown): void => logCutOff(context, error, response)
      const { socket } = request.raw
      await whileConnected(request, signal =>
        context.gates.dumps.pass(signal, () =>
          streamAnswer(zip.bytes(query, signal), { response, socket, writeHead, onCut })
        )
      )
    }
  )
}
