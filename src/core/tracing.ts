/** A place in a trace, to be handed on: the `traceparent` of W3C Trace Context, 55 characters. Only the adapter reads it. */
export type TraceParent = string

/** Longest `traceparent` that is taken from a peer. */
export const TRACE_PARENT_CHARACTERS_MAX = 64
/** Spans that one span may link to, besides its parent. */
export const LINKS_MAX = 32

export type SpanName = 'append' | 'commit' | 'ship' | 'apply' | 'search' | `${string} ${string}`

export interface SpanInit {
  readonly kind?: 'server' | 'client' | 'producer' | 'consumer'
  /** Default: the current span; `null`: none. What is malformed counts as none. */
  readonly parent?: TraceParent | null | undefined
  /** Of what else it carries; beyond {@link LINKS_MAX} left out. */
  readonly links?: readonly TraceParent[]
  readonly attributes?: Readonly<Record<string, string | number>>
}

export interface Span {
  readonly traceParent: TraceParent
  /** @param failure - why it failed; undefined: it did not */
  end(failure?: unknown, attributes?: SpanInit['attributes']): void
}

/** Where a component says what it does for whom. Absent where nobody wants to know: then nothing is done. */
export interface Tracer {
  /** Begins a span, which does not become the current one. */
  begin(name: SpanName, init?: SpanInit): Span
  /** Runs `work`; what follows from it has the span as the current one, or none. */
  run<Result>(span: Span | undefined, work: () => Result): Result
  /** @returns the current span's place; undefined: there is none */
  current(): TraceParent | undefined
}

/** Runs `work` in a span that ends when it has settled. Without a tracer, just runs it. */
export function traced<Result>(
  tracer: Tracer | undefined,
  name: SpanName,
  init: () => SpanInit,
  work: (span: Span | undefined) => Promise<Result>
): Promise<Result> {
  if (tracer === undefined) return work(undefined)
  const span = tracer.begin(name, init())
  return tracer.run(span, () => endWith(span, work))
}

async function endWith<Result>(span: Span, work: (span: Span) => Promise<Result>): Promise<Result> {
  try {
    const result = await work(span)
    span.end()
    return result
  } catch (err) {
    span.end(err)
    throw err
  }
}

/** @returns the first as the parent, the others as links */
export function carried(places: readonly TraceParent[]): Pick<SpanInit, 'parent' | 'links'> {
  const [parent = null, ...links] = [...new Set(places)]
  return { parent, links: links.slice(0, LINKS_MAX) }
}
