import type { FastifyInstance } from 'fastify'
import type { ClusterEvent, EventStep } from '../../../cluster/events/events.js'
import { streamAnswer } from '../../wire/answer-stream.js'
import { timeJson } from '../json-forms.js'
import { logCutOff, type RouteContext } from '../route-context.js'
import { eventsSchema } from '../schemas/event-schemas.js'

/** How long a client waits before it reconnects, ms. */
const RETRY_MS = 1_000
const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  connection: 'close',
  // A reverse proxy must not buffer events.
  'x-accel-buffering': 'no'
}

/** `GET /events`: server-sent events (WHATWG HTML, section 9.2) until the client disconnects or the node stops. */
export function addEventsRoute(app: FastifyInstance, context: RouteContext): void {
  /** All clients get the same text. */
  const texts = new WeakMap<ClusterEvent, string>()
  const textOf = (event: ClusterEvent): string => {
    let text = texts.get(event)
    if (text === undefined) {
      text = eventText(event)
      texts.set(event, text)
    }
    return text
  }

  app.get('/events', { exposeHeadRoute: false, schema: eventsSchema }, async (request, reply) => {
    const { raw: response } = reply
    const { socket } = request.raw
    const abort = new AbortController()
    const onClose = (): void => abort.abort()
    socket.once('close', onClose)
    if (socket.destroyed) onClose()
    const lastEventId = request.headers['last-event-id']?.toString()
    const writeHead = (): void => {
      reply.hijack()
      response.writeHead(200, HEADERS)
    }
    try {
      const steps = context.events.follow(lastEventId, abort.signal)
      const onCut = (error: unknown): void => logCutOff(context, error, response)
      await streamAnswer(piecesOf(steps, textOf), { response, socket, writeHead, onCut })
    } finally {
      socket.off('close', onClose)
    }
  })
}

async function* piecesOf(
  steps: AsyncIterable<EventStep>,
  textOf: (event: ClusterEvent) => string
): AsyncGenerator<Uint8Array> {
  for await (const step of steps) {
    switch (step.kind) {
      case 'start':
        // Without data this is no event, but it gives a client that is cut off before the first event an id to resume from.
        yield Buffer.from(`retry: ${RETRY_MS}\nid: ${step.id}\n\n`)
        break
      case 'reset':
        yield Buffer.from(`retry: ${RETRY_MS}\nevent: reset\nid: ${step.id}\ndata: {}\n\n`)
        break
      case 'events':
        yield Buffer.from(step.events.map(textOf).join(''))
        break
      case 'quiet':
        yield Buffer.from(': nothing new\n\n')
    }
  }
}

function eventText(event: ClusterEvent): string {
  const subject = 'photoId' in event ? { photo_id: event.photoId } : { node_id: event.nodeId }
  const data = JSON.stringify({ ...subject, at: timeJson(event.atMs) })
  return `event: ${event.type}\nid: ${event.id}\ndata: ${data}\n\n`
}
