import { AsyncLocalStorage } from 'node:async_hooks'
import type { Span, SpanInit, SpanName, TraceParent, Tracer } from '../../src/core/tracing.js'

export interface RecordedSpan extends Omit<SpanInit, 'parent'> {
  readonly name: SpanName
  readonly traceParent: TraceParent
  readonly parent: TraceParent | undefined
  readonly failure: unknown
  readonly isEnded: boolean
}

/** Keeps all spans. Places in a trace are `1`, `2`, … in the order in which spans began. */
export class RecordingTracer implements Tracer {
  readonly spans: RecordedSpan[] = []
  readonly #current = new AsyncLocalStorage<TraceParent | undefined>()

  begin(name: SpanName, { parent, ...init }: SpanInit = {}): Span {
    const traceParent = String(this.spans.length + 1)
    const span = {
      ...init,
      name,
      traceParent,
      parent: parent === undefined ? this.current() : (parent ?? undefined),
      failure: undefined as unknown,
      isEnded: false
    }
    this.spans.push(span)
    return {
      traceParent,
      end: (failure, attributes) => {
        if (span.isEnded) throw new Error(`the span ${name} ends twice`)
        Object.assign(span, { failure, isEnded: true, attributes: { ...span.attributes, ...attributes } })
      }
    }
  }

  run<Result>(span: Span | undefined, work: () => Result): Result {
    return this.#current.run(span?.traceParent, work)
  }

  current(): TraceParent | undefined {
    return this.#current.getStore()
  }

  /** @returns the only span of that name */
  only(name: SpanName): RecordedSpan {
    const named = this.spans.filter(span => span.name === name)
    if (named.length !== 1) throw new Error(`${named.length} spans are called ${name}`)
    return named[0] as RecordedSpan
  }
}
