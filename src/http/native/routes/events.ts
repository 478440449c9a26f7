import type { FastifyInstance } from 'fastify'
import type { ClusterEvent, EventStep } from '../../../cluster/events/events.js'
import { streamAnswer } from '../../wire/answer-stream.js'
import { eventJson, timeJson } from '../json-forms.js'
import { logCutOff, type RouteContext } from '../route-context.js'
import { eventsSchema, RECENT_DEFAULT, recentEventsSchema } from '../schemas/event-schemas.js'

/** How long a client waits before it reconnects, ms. */
const RETRY_MS = 1_000
/** Up to so many photos in a burst are told one by one. */
const BURST_MIN = 8
const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  connection: 'close',
  // A reverse proxy must not buffer events.
  'x-accel-buffering': 'no'
}

/** `GET /events`: server-sent events (WHATWG HTML, section 9.2) until the client disconnects, who asks is logged out, or the node stops. */
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

  app.get<{ Querystring: { readonly limit?: number } }>(
    '/events/recent',
    { schema: recentEventsSchema },
    async ({ query: { limit = RECENT_DEFAULT } }) => ({
      events: context.events.recent(limit).map(event => ({ id: event.id, type: event.type, ...eventJson(event) }))
    })
  )

  const options = { exposeHeadRoute: false, schema: eventsSchema }
  app.get<{ Querystring: { readonly bursts?: boolean } }>('/events', options, async (request, reply) => {
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
      const { bursts: inBursts = false } = request.query
      const steps = context.events.follow(lastEventId, abort.signal, { inBursts })
      const onCut = (error: unknown): void => logCutOff(context, error, response)
      const allowed = whileAllowed(steps, () => request.stillMay())
      await streamAnswer(piecesOf(allowed, inBursts ? burstText(textOf) : plainText(textOf)), {
        response,
        socket,
        writeHead,
        onCut
      })
    } finally {
      socket.off('close', onClose)
    }
  })
}

/** Nothing more is told to whoever has been logged out, also not that nothing is new. */
async function* whileAllowed(
  steps: AsyncIterable<EventStep>,
  stillMay: () => Promise<boolean>
): AsyncGenerator<EventStep> {
  for await (const step of steps) {
    if (!(await stillMay())) return
    yield step
  }
}

async function* piecesOf(
  steps: AsyncIterable<EventStep>,
  textOf: (events: readonly ClusterEvent[]) => string
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
        yield Buffer.from(textOf(step.events))
        break
      case 'quiet':
        yield Buffer.from(': nothing new\n\n')
    }
  }
}

function plainText(textOf: (event: ClusterEvent) => string): (events: readonly ClusterEvent[]) => string {
  return events => events.map(textOf).join('')
}

/** Many photos are one event, which stands where the last of them was. */
function burstText(textOf: (event: ClusterEvent) => string): (events: readonly ClusterEvent[]) => string {
  return events => {
    const photos = events.filter(event => 'photoId' in event)
    const last = photos.at(-1)
    if (last === undefined || photos.length <= BURST_MIN) return plainText(textOf)(events)
    const data = JSON.stringify({ count: photos.length, at: timeJson(last.atMs) })
    const burst = `event: photos.changed\nid: ${last.id}\ndata: ${data}\n\n`
    return events.map(event => (event === last ? burst : 'photoId' in event ? '' : textOf(event))).join('')
  }
}

function eventText(event: ClusterEvent): string {
  return `event: ${event.type}\nid: ${event.id}\ndata: ${JSON.stringify(eventJson(event))}\n\n`
}
