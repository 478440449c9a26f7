import { problemOf, UNREACHABLE } from '../api/client.js'
import type { PickedFile } from './dropped-files.js'
import type { Sent } from './queue.js'

/** Longest path of a folder that a node takes. */
const SOURCE_BYTES_MAX = 200

export interface SendOptions {
  /** Idempotency-Key: sent again with it, it is the same photo. */
  readonly key: string
  readonly onSent: (bytes: number) => void
  readonly signal: AbortSignal
}

/** Sends a file as it is. By XMLHttpRequest, as `fetch` does not tell how far it is. */
export function sendFile(file: PickedFile, { key, onSent, signal }: SendOptions): Promise<Sent> {
  return new Promise(resolve => {
    const request = new XMLHttpRequest()
    const unreachable = (): void =>
      resolve({
        error: { code: UNREACHABLE, detail: 'the node does not answer', isPassing: true },
        status: 0,
        retryAfterS: undefined
      })
    request.open('PUT', `/v1/photos?${statementsOf(file)}`)
    request.setRequestHeader('Idempotency-Key', key)
    request.upload.addEventListener('progress', ({ loaded }) => onSent(loaded))
    request.addEventListener('load', () => resolve(sentOf(request)))
    request.addEventListener('error', unreachable)
    request.addEventListener('abort', unreachable)
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file.blob)
  })
}

function sentOf(request: XMLHttpRequest): Sent {
  const { status, responseText } = request
  if (status === 201 || status === 200) {
    const { photo_id } = JSON.parse(responseText) as { readonly photo_id: string }
    return { photoId: photo_id }
  }
  const { code, detail, retryAfterS } = problemOf(status, request.getResponseHeader('retry-after'), responseText)
  // no space now, but perhaps later
  const isPassing = status === 507 || status >= 500
  return { error: { code, detail, isPassing }, status, retryAfterS }
}

function statementsOf({ name, folder, modifiedMs, album }: PickedFile): URLSearchParams {
  const query = new URLSearchParams({ filename: name, file_time: String(modifiedMs) })
  if (folder !== '' && new TextEncoder().encode(folder).length <= SOURCE_BYTES_MAX) query.set('source', folder)
  if (album !== undefined) query.set('album', album)
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  if (/^[A-Z][A-Za-z_]*\/[A-Za-z0-9_+/-]+$/.test(zone)) query.set('zone', zone)
  return query
}
