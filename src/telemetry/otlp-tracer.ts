import { AsyncLocalStorage } from 'node:async_hooks'
import { type Agent, Agent as PlainAgent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, parseTraceParent } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider
} from '@opentelemetry/sdk-trace'
import type { Clock } from '../core/clock.js'
import { SheafError } from '../core/errors.js'
import type { Startable } from '../core/lifecycle.js'
import type { Logger } from '../core/log.js'
import { LINKS_MAX, type Span, type SpanInit, type SpanName, type TraceParent, type Tracer } from '../core/tracing.js'

const SPANS_MAX = 2_048
const BATCH_SPANS_MAX = 256
const BATCH_MS = 1_000
const EXPORT_MS_MAX = 5_000
/** Of what a collector says about its errors. */
const REASON_CHARACTERS_MAX = 200
const ATTRIBUTES_MAX = 16
const ATTRIBUTE_CHARACTERS_MAX = 256
const WARN_EVERY_MS = 60_000

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER
} as const

export interface OtlpTracerInit {
  /** Base URL of the collector: `/v1/traces` is added. */
  readonly endpoint: string
  /** Share of the traces begun here that are recorded, 0…1; what comes with a parent follows it. */
  readonly ratio: number
  readonly nodeId: string
  readonly name: string
  readonly version: string
}

interface OtlpSpan extends Span {
  readonly context: Context
}

/** Sends spans to an OpenTelemetry collector, by OTLP over HTTP. What it cannot send in time is dropped. */
export class OtlpTracer implements Tracer, Startable {
  readonly #current = new AsyncLocalStorage<Context | undefined>()
  readonly #provider: TracerProvider
  readonly #tracer: ReturnType<TracerProvider['getTracer']>

  constructor(components: { readonly clock: Clock; readonly log: Logger }, init: OtlpTracerInit) {
    const { endpoint, ratio, nodeId, name, version } = init
    const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`
    const exporter = new LoggedExporter(components, url)
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.name': 'sheaf',
        'service.version': version,
        'service.instance.id': nodeId,
        'host.name': name
      }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanLimits: {
        linkCountLimit: LINKS_MAX,
        attributeCountLimit: ATTRIBUTES_MAX,
        attributeValueLengthLimit: ATTRIBUTE_CHARACTERS_MAX
      },
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: SPANS_MAX,
          maxExportBatchSize: BATCH_SPANS_MAX,
          scheduledDelayMillis: BATCH_MS,
          exportTimeoutMillis: 2 * EXPORT_MS_MAX // never comes: the exporter gives up before
        })
      ]
    })
    this.#tracer = this.#provider.getTracer('sheaf', version)
  }

  async start(): Promise<void> {}

  /** Sends what is left, for a few seconds at most. */
  async stop(): Promise<void> {
    await this.#provider.shutdown()
  }

  begin(name: SpanName, { kind, parent, links = [], attributes = {} }: SpanInit = {}): OtlpSpan {
    const from = parent === undefined ? this.#current.getStore() : contextFrom(parent)
    const options = {
      kind: kind === undefined ? SpanKind.INTERNAL : KINDS[kind],
      attributes: { ...attributes },
      links: links.flatMap(link => {
        const context = parseTraceParent(link)
        return context === null ? [] : [{ context }]
      })
    }
    const span = this.#tracer.startSpan(name, options, from ?? ROOT_CONTEXT)
    const { traceId, spanId, traceFlags } = span.spanContext()
    return {
      context: trace.setSpan(ROOT_CONTEXT, span),
      traceParent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
      end: (failure, more) => {
        if (more !== undefined) span.setAttributes(more)
        if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: reasonOf(failure) })
        span.end()
      }
    }
  }

  run<Result>(span: Span | undefined, work: () => Result): Result {
    return this.#current.run((span as OtlpSpan | undefined)?.context, work)
  }

  current(): TraceParent | undefined {
    const context = this.#current.getStore()
    const place = context && trace.getSpanContext(context)
    return place && `00-${place.traceId}-${place.spanId}-${place.traceFlags.toString(16).padStart(2, '0')}`
  }
}

/** @returns undefined for none, and for one that is malformed */
function contextFrom(parent: TraceParent | null): Context | undefined {
  const place = parent === null ? null : parseTraceParent(parent)
  return place === null ? undefined : trace.setSpanContext(ROOT_CONTEXT, { ...place, isRemote: true })
}

/** The code alone: messages may have names of files. */
function reasonOf(failure: unknown): string {
  return failure instanceof SheafError ? failure.code : 'ERR_INTERNAL'
}

/**
 * Says in the log when spans are lost because the collector does not take them: once a minute, with their number. A collector
 * that answers slowly, or without end, is given up; nothing waits for it at the end.
 */
class LoggedExporter implements SpanExporter {
  readonly #exporter: SpanExporter
  readonly #agent: Agent
  readonly #clock: Clock
  readonly #log: Logger
  readonly #url: string
  #warnedAtMs = Number.NEGATIVE_INFINITY
  #lost = 0

  constructor(components: { readonly clock: Clock; readonly log: Logger }, url: string) {
    const agent = url.startsWith('https:') ? new TlsAgent({ keepAlive: true }) : new PlainAgent({ keepAlive: true })
    this.#agent = agent
    this.#exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS_MAX, httpAgentOptions: () => agent })
    this.#clock = components.clock
    this.#log = components.log
    this.#url = url
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    let isOpen = true
    const end = (failure?: Error): void => {
      if (!isOpen) return
      isOpen = false
      cancel()
      if (failure !== undefined) this.#noteLost(spans.length, failure)
      done({ code: ExportResultCode.SUCCESS }) // the SDK would only report it to a log of its own
    }
    const late = new Error(`it did not take them within ${EXPORT_MS_MAX / 1_000} s`)
    const cancel = this.#clock.schedule(EXPORT_MS_MAX, () => end(late))
    this.#exporter.export(spans, ({ code, error }) =>
      end(code === ExportResultCode.FAILED ? (error ?? new Error('it failed')) : undefined)
    )
  }

  async forceFlush(): Promise<void> {}

  /** All exports have ended, or were given up. */
  async shutdown(): Promise<void> {
    this.#agent.destroy()
  }

  #noteLost(count: number, failure: Error & { readonly code?: unknown }): void {
    this.#lost += count
    const now = this.#clock.monotonic()
    if (now - this.#warnedAtMs < WARN_EVERY_MS) return
    const { code } = failure // the answer stands beside it, and may be long
    const reason = failure.message.slice(0, REASON_CHARACTERS_MAX)
    this.#log.warn(
      { code, reason, url: this.#url, spans: this.#lost },
      'the collector of traces does not take spans; they are lost'
    )
    this.#warnedAtMs = now
    this.#lost = 0
  }
}
