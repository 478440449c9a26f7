import type { IncomingMessage } from 'node:http'
import { SheafError } from '../../core/errors.js'
import type { RequestBodies } from '../wire/request-bodies.js'

const JSON_BYTES_MAX = 1024 * 1024
const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i

/**
 * Reads a whole JSON body.
 *
 * @throws `ERR_UNSUPPORTED_MEDIA`, `ERR_BAD_REQUEST` when it is not JSON, `ERR_TOO_LARGE`, and whatever a body throws
 */
export async function readJson(bodies: RequestBodies, request: IncomingMessage): Promise<unknown> {
  if (!JSON_TYPE.test(request.headers['content-type'] ?? '')) {
    throw new SheafError('ERR_UNSUPPORTED_MEDIA', 'Content-Type must be application/json')
  }
  const pieces: Uint8Array[] = []
  for await (const piece of bodies.open(request, JSON_BYTES_MAX)) pieces.push(piece)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces)))
  } catch (cause) {
    throw new SheafError('ERR_BAD_REQUEST', 'the body is not JSON in UTF-8', { cause })
  }
}

/** Reads and drops an unexpected body, so that the connection can be reused. @throws as a body throws */
export async function discardBody(bodies: RequestBodies, request: IncomingMessage): Promise<void> {
  for await (const _ of bodies.open(request, JSON_BYTES_MAX));
}
