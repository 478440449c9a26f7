import { type Api, ApiError, type Meta } from '../api/client.js'
import type { Chosen, Selection } from './selection.js'
import type { Timeline } from './timeline.js'

/** As many as a node takes in one request. */
const BATCH_MAX = 10_000

/** Metadata, and what an edit of them has to meet. */
export interface TaggedMeta {
  readonly body: Meta
  readonly etag: string
}

export type PhotoChange = Parameters<typeof Api.prototype.patch<'/photo/{id}/meta'>>[1]

/**
 * @param etag - of the metadata that the person saw; undefined: whatever they are by now
 * @throws {@link ApiError} `ERR_PRECONDITION_FAILED` when they are others by now
 */
export async function editPhoto(api: Api, id: string, change: PhotoChange, etag: string | undefined): Promise<void> {
  const headers = etag === undefined ? {} : { 'if-match': etag }
  await api.patch('/photo/{id}/meta', change, { params: { id }, headers, keepalive: true })
}

export interface Outcome {
  readonly done: readonly string[]
  readonly failed: number
}

/** @returns the ids of all that is chosen; reads what is not known yet */
export async function chosenIds(timeline: Timeline, selection: Selection): Promise<string[]> {
  const ids: string[] = []
  for (const { key } of timeline.buckets.peek()) {
    const chosen: Chosen | undefined = selection.get(key)
    if (chosen === undefined) continue
    ids.push(...(chosen === 'all' ? (await timeline.require(key)).ids : chosen))
  }
  return ids
}

export type BatchBody = Parameters<typeof Api.prototype.post<'/v1/photos/batch'>>[1]

/** @param body - names photos. @returns the ids of those with which it was done */
export async function changeNamed(api: Pick<Api, 'post'>, body: BatchBody): Promise<string[]> {
  const answer = await api.post('/v1/photos/batch', body)
  if (!('results' in answer)) throw new Error('photos that are named are changed at once')
  return answer.results.filter(({ status }) => status !== 'failed').map(({ photo_id }) => photo_id)
}

export async function deletePhotos(api: Api, ids: readonly string[]): Promise<Outcome> {
  return await inBatches(ids, async batch => {
    return await changeNamed(api, { delete: batch })
  })
}

export async function tagPhotos(api: Api, ids: readonly string[], tag: string): Promise<Outcome> {
  return await inBatches(ids, async batch => {
    return await changeNamed(api, { ids: batch, tags: { add: [tag] } })
  })
}

/** @param change - whether they are put into the album or taken out of it */
export async function changeAlbum(
  api: Api,
  ids: readonly string[],
  change: { readonly album: string; readonly how: 'add' | 'remove' }
): Promise<Outcome> {
  const { album, how } = change
  return await inBatches(ids, async batch => {
    const body = how === 'add' ? { add: batch } : { remove: batch }
    const { results } = await api.post('/v1/albums/{id}/photos', body, { params: { id: album } })
    return results.filter(({ status }) => status !== 'failed').map(({ photo_id }) => photo_id)
  })
}

export async function restorePhotos(api: Api, ids: readonly string[]): Promise<Outcome> {
  return await inBatches(ids, async batch => {
    return await changeNamed(api, { undelete: batch })
  })
}

export async function markPhotos(
  api: Api,
  ids: readonly string[],
  marks: { readonly favourite?: boolean; readonly archived?: boolean }
): Promise<Outcome> {
  return await inBatches(ids, async batch => {
    return await changeNamed(api, { ids: batch, ...marks })
  })
}

/** Lets everything in the trash go, some at a time. @returns how many photos that were */
export async function emptyTrash(api: Api): Promise<number> {
  let emptied = 0
  for (;;) {
    const { results, left } = await api.post('/trash/empty', {})
    const done = results.filter(({ status }) => status === 'emptied').length
    emptied += done
    if (left === 0 || done === 0) return emptied
  }
}

async function inBatches(
  ids: readonly string[],
  change: (batch: string[]) => Promise<readonly string[]>
): Promise<Outcome> {
  const done: string[] = []
  for (let i = 0; i < ids.length; i += BATCH_MAX) done.push(...(await change(ids.slice(i, i + BATCH_MAX))))
  return { done, failed: ids.length - done.length }
}
