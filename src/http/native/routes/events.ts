import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ClusterEvent, EventStep } from '../../../cluster/events/events.js'
import { ALL_SEEING, type Viewer } from '../../../photos/viewers/viewer.js'
import { streamAnswer } from '../../wire/answer-stream.js'
import { eventJson, timeJson } from '../json-forms.js'
import { logCutOff, type RouteContext } from '../route-context.js'
import { eventsSchema, RECENT_DEFAULT, recentEventsSchema } from '../schemas/event-schemas.js'
import { followsJob } from '../who-asks.js'

/** How long a client waits before it reconnects, ms. */
const RETRY_MS = 1_000
/** Who is told nothing of what happens hears so often that the node is there, ms. */
const QUIET_MS = 15_000
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
    async request => {
      const { limit = RECENT_DEFAULT } = request.query
      const { viewer } = context.seenBy(request)
      const events = context.events.recent(limit, event => eventFor(viewer, request, event))
      return { events: events.map(event => ({ id: event.id, type: event.type, ...eventJson(event) })) }
    }
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
      const allowed = stepsFor(context, request, steps)
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

/** Nothing more is told to whoever has been logged out, also not that nothing is new; nor, to others, that something is new for somebody else. */
async function* stepsFor(
  { seenBy, clock }: Pick<RouteContext, 'seenBy' | 'clock'>,
  request: FastifyRequest,
  steps: AsyncIterable<EventStep>
): AsyncGenerator<EventStep> {
  const { viewer } = seenBy(request)
  let toldAt = clock.monotonic()
  for await (const step of steps) {
    const mayStill = await request.requireStill().then(
      () => true,
      () => false
    )
    if (!mayStill) return
    const told = step.kind === 'events' ? eventsFor(viewer, request, step.events) : step
    const now = clock.monotonic()
    if (told === undefined && now - toldAt < QUIET_MS) continue
    toldAt = now
    yield told ?? { kind: 'quiet' }
  }
}

function eventsFor(viewer: Viewer, request: FastifyRequest, all: readonly ClusterEvent[]): EventStep | undefined {
  const events = all.flatMap(event => eventFor(viewer, request, event) ?? [])
  return events.length > 0 ? { kind: 'events', events } : undefined
}

/** @returns the event as somebody hears of it: a photo that is not open to him any more is gone; undefined: not at all */
function eventFor(viewer: Viewer, request: FastifyRequest, event: ClusterEvent): ClusterEvent | undefined {
  if ('job' in event) return viewer === ALL_SEEING || followsJob(request, event.job) ? event : undefined
  if (!('photoId' in event)) return event
  const { before, after } = event
  if (after !== undefined && viewer.may('see', after)) return event
  if (before === undefined || !viewer.may('see', before)) return undefined
  return event.type === 'photo.conflict' ? undefined : { ...event, type: 'photo.deleted' }
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
