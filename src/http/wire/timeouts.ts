/** All in ms. */
export interface HttpTimeouts {
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number
  /** A body that brings no byte for this long is answered 408. */
  readonly bodyStallMs: number
  /** A client that takes no byte of its answer for this long is disconnected. */
  readonly answerStallMs: number
  /** Maximum idle time between two requests on a connection. */
  readonly keepAliveMs: number
  /** How long the rest of a refused body is read and dropped, so that the client sees the answer. */
  readonly lingerMs: number
}

export const HTTP_TIMEOUTS: HttpTimeouts = {
  headersMs: 10_000,
  bodyStallMs: 30_000,
  answerStallMs: 60_000,
  keepAliveMs: 65_000,
  lingerMs: 2_000
}
