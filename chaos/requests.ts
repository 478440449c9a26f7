import type { Clock } from '../src/core/clock.js'
import { type Answer, type HttpClient, NoAnswer, type PhotoPage } from '../test/support/http-client.js'
import { sha256Hex } from '../test/support/photo-maker.js'
import type { Call, LineOf, Told } from './history.js'
import { outcomeOf } from './outcomes.js'
import type { People } from './people.js'
import { bytesOf } from './uploaded-bytes.js'

export type Ending = Omit<LineOf<'end'>, 'type' | 'atMs' | 'op'>

/** What is asked of a node through. */
export type NodeClient = Pick<HttpClient, 'put' | 'patchMeta' | 'remove' | 'undelete' | 'meta' | 'photo' | 'request'>

/** Between two tries of a request that a node was too busy for. */
const BUSY_MS = 250

interface VersionJson {
  readonly name: string
  readonly tags: readonly string[]
  readonly sha256: string
  readonly generation: number
  readonly album_ids: readonly string[]
  readonly version: { readonly actor: string; readonly vector_clock: Readonly<Record<string, number>> }
}

/**
 * Asks a node, again where it is too busy until the deadline is over.
 *
 * @param operatorToken - for what only the operator may do
 * @param people - whose ids are told by their names
 * @returns how it ended; never rejects
 */
export async function carryOut(
  {
    client,
    clock,
    operatorToken,
    people
  }: { client: NodeClient; clock: Clock; operatorToken: () => string | undefined; people?: People | undefined },
  call: Call,
  deadlineMs: number
): Promise<Ending> {
  const from = clock.monotonic()
  for (let retries = 0; ; retries++) {
    let answer: Answer
    try {
      answer = await send(client, call, operatorToken, people)
    } catch (err) {
      const reached = !(err instanceof NoAnswer) || err.maybeApplied
      return { outcome: reached ? 'indeterminate' : 'failed', error: String(err), ...(retries > 0 && { retries }) }
    }
    const code = codeOf(answer)
    const isBusy = code === 'ERR_OVERLOADED' && clock.monotonic() - from + BUSY_MS < deadlineMs
    if (isBusy) {
      await clock.sleep(BUSY_MS)
      continue
    }
    const { status } = answer
    const outcome = outcomeOf(status, code)
    return {
      outcome,
      status,
      ...(code !== undefined && { code }),
      ...(retries > 0 && { retries }),
      ...(outcome === 'ok' && { told: toldBy(call, answer) })
    }
  }
}

/** @returns the part of the metadata that is judged */
export function toldByMeta(body: Buffer): Told {
  const { name, tags, sha256, generation, version, album_ids: albums } = JSON.parse(body.toString()) as VersionJson
  const shown = { name, tags, sha256, generation, clock: version.vector_clock, actor: version.actor }
  return albums.length === 0 ? shown : { ...shown, albums }
}

function codeOf({ status, body }: Answer): string | undefined {
  if (status < 400) return undefined
  try {
    const { code } = JSON.parse(body.toString()) as { code?: unknown }
    return typeof code === 'string' ? code : undefined
  } catch {
    return undefined
  }
}

function send(
  client: NodeClient,
  call: Call,
  operatorToken: () => string | undefined,
  people: People | undefined
): Promise<Answer> {
  const idOf = (name: string): string => people?.get(name)?.id ?? name

  switch (call.kind) {
    case 'upload':
      return client.put(bytesOf(call), {
        filename: call.name,
        ...(call.isPicture && { contentType: 'image/png' }),
        ...(call.key !== undefined && { idempotencyKey: call.key })
      })
    case 'edit':
      return client.patchMeta(call.photo, { name: call.name, tags: { add: call.adds, remove: call.removes } })
    case 'delete':
      return client.remove(call.photo)
    case 'undelete':
      return client.undelete(call.photo)
    case 'look':
      return client.meta(call.photo)
    case 'fetch':
      return client.photo(
        call.photo,
        call.range === undefined ? {} : { range: `bytes=${call.range[0]}-${call.range[1] - 1}` }
      )
    case 'list':
      return client.request('GET', `/photos?limit=${call.whole ? 1_000 : 50}`)
    case 'search':
      return client.request('GET', `/search?q=${call.words}&k=1000`)
    case 'makeAlbum':
      return ask(client, 'POST', '/v1/albums', { title: call.title })
    case 'fill':
      return ask(client, 'POST', `/v1/albums/${call.album}/photos`, { add: [call.photo] })
    case 'takeOut':
      return ask(client, 'POST', `/v1/albums/${call.album}/photos`, { remove: [call.photo] })
    case 'share':
      return ask(client, 'PUT', `/v1/albums/${call.album}/shares/${call.to}`, { role: call.role })
    case 'unshare':
      return client.request('DELETE', `/v1/albums/${call.album}/shares/${call.to}`)
    case 'shares':
      return client.request('GET', `/v1/albums/${call.album}/shares`)
    case 'makeUser':
      return ask(client, 'POST', '/v1/users', { name: call.name, role: 'user' })
    case 'setRole':
      return ask(client, 'PUT', `/v1/users/${idOf(call.user)}/role`, { role: call.role })
    case 'disable':
      return ask(client, 'PUT', `/v1/users/${idOf(call.user)}/state`, { state: 'disabled' })
    case 'compact':
      return client.request('POST', '/v1/admin/compact', {
        headers: { authorization: `Bearer ${operatorToken() ?? ''}` }
      })
  }
}

function toldBy(call: Call, { body }: Answer): Told {
  switch (call.kind) {
    case 'upload':
      return { photo: (JSON.parse(body.toString()) as { photo_id: string }).photo_id }
    case 'edit':
    case 'look':
      return toldByMeta(body)
    case 'fetch':
      return { sha256: sha256Hex(body), byteCount: body.length }
    case 'list':
      return call.whole ? toldByList(body) : {}
    case 'search':
      return toldBySearch(body)
    case 'makeAlbum':
      return { album: (JSON.parse(body.toString()) as { album_id: string }).album_id }
    case 'fill':
    case 'takeOut': {
      const { results } = JSON.parse(body.toString()) as { results: readonly { status: string }[] }
      const done = call.kind === 'fill' ? 'added' : 'removed'
      return { isDone: results.every(({ status }) => status === done) }
    }
    case 'delete':
    case 'undelete':
    case 'compact':
    case 'share':
    case 'unshare':
    case 'shares':
    case 'makeUser':
    case 'setRole':
    case 'disable':
      return {}
  }
}

function toldByList(body: Buffer): Told {
  const { photos, next_cursor: next } = JSON.parse(body.toString()) as PhotoPage
  return next === null ? { photos: photos.map(({ photo_id: id }) => id) } : {}
}

function toldBySearch(body: Buffer): Told {
  const { results, coverage } = JSON.parse(body.toString()) as {
    readonly results: readonly { readonly photo_id: string }[]
    readonly coverage: { readonly fraction: number }
  }
  return { photos: results.map(({ photo_id: id }) => id), coverage: coverage.fraction }
}

function ask(client: NodeClient, method: string, path: string, body: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  return client.request(method, path, { headers, body: Buffer.from(JSON.stringify(body)) })
}
