import type { ServerResponse } from 'node:http'
import type { Random } from '../../core/random.js'

export const REQUEST_ID_HEADER = 'X-Request-Id'

/** What a client may call its request: nothing that could break a header, a log line or a shell. */
const SAFE_ID = /^[\w.~:@+/=-]{1,128}$/
const PREFIX_BYTES = 6

/** Names requests, so that an answer can be found in the log: by the client's own `X-Request-Id`, or else by a new name. */
export class RequestIds {
  readonly #prefix: string
  #count = 0

  constructor(random: Pick<Random, 'bytes'>) {
    this.#prefix = Buffer.from(random.bytes(PREFIX_BYTES)).toString('hex')
  }

  /** @returns a new name, which no other request has */
  next(): string {
    return `${this.#prefix}-${++this.#count}`
  }

  /** @param rawHeaders - names and values by turns. @returns the name of the request; ask once for each */
  of(rawHeaders: readonly string[]): string {
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i] as string
      if (name.length !== REQUEST_ID_HEADER.length || name.toLowerCase() !== 'x-request-id') continue
      const value = rawHeaders[i + 1] as string
      if (SAFE_ID.test(value)) return value
    }
    return this.next()
  }
}

/** @returns the name that the answer to a request carries */
export function requestIdOf(response: ServerResponse): string | undefined {
  return response.getHeader(REQUEST_ID_HEADER)?.toString()
}
