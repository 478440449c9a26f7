import type { ServerResponse } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { SheafError } from '../../core/errors.js'
import { type AlbumId, type PhotoId, parsePhotoId } from '../../domain/ids.js'
import { type AltKey, parseAltKey } from '../../domain/photo.js'
import type { Gates } from '../wire/gate.js'
import type { RequestBodies } from '../wire/request-bodies.js'
import { requestIdOf } from '../wire/request-ids.js'
import type { SessionCookie } from '../wire/session-cookie.js'
import type { HttpComponents, HttpInit } from './components.js'
import type { SeenLibrary } from './seen-library.js'

/** What a route gets as far as it is open to whoever asks. */
type Seen = 'photos' | 'lists' | 'albums' | 'similarity' | 'viewers'

/** What the routes share. */
export interface RouteContext extends Omit<HttpComponents, Seen> {
  /** @returns the library that is open to whoever sends the request */
  readonly seenBy: (request: Pick<FastifyRequest, 'asker'>) => SeenLibrary
  /** For those who look after the node, whoever's photos these are. */
  readonly whole: {
    readonly photos: Pick<HttpComponents['photos'], 'exhume' | 'cacheStats'>
    readonly albums: Pick<HttpComponents['albums'], 'exhume'>
  }
  readonly init: HttpInit
  readonly bodies: RequestBodies
  readonly gates: Gates
  /** Absent where there are no accounts. */
  readonly cookie: SessionCookie | undefined
  /** @returns the client's, as far as it can be believed; empty: it came by a Unix socket */
  readonly addressOf: (request: FastifyRequest) => string
  readonly isSecure: (request: FastifyRequest) => boolean
}

/** @throws `ERR_BAD_ID` */
export function requirePhotoId(text: string): PhotoId {
  const id = parsePhotoId(text)
  if (id === undefined) throw new SheafError('ERR_BAD_ID', `${JSON.stringify(text.slice(0, 100))} is not a UUID`)
  return id
}

/** @throws `ERR_BAD_ID` */
export function requireAlbumId(text: string): AlbumId {
  return requirePhotoId(text) as string as AlbumId
}

/** @throws `ERR_BAD_ALT_KEY` */
export function requireAltKey(text: string | undefined): AltKey {
  const alt = text === undefined ? 'orig' : parseAltKey(text)
  if (alt === undefined) throw new SheafError('ERR_BAD_ALT_KEY')
  return alt
}

/** Logs an error that ended an answer after its headers were sent, when no status can report it. */
export function logCutOff({ log }: Pick<HttpComponents, 'log'>, error: unknown, response: ServerResponse): void {
  log.warn({ err: error, requestId: requestIdOf(response) }, 'answer was cut off by an error')
}

/** @returns the number of a conflict version. @throws `ERR_BAD_PARAMETER` */
export function conflictNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new SheafError('ERR_BAD_PARAMETER', 'n must be a whole number, at least 1')
  return Number(text)
}
