import type { Album, Answer, Api } from '../api/client.js'

export type Tag = Answer<'/tags'>['tags'][number]

/** As many as a node lists at once. */
const PAGE_MAX = 1_000
/** Names that a search shows of a kind. */
const FOUND_MAX = 8

export interface Names {
  readonly albums: readonly Album[]
  readonly tags: readonly Tag[]
}

/** @returns albums and tags that begin with the text, or have a word that does; a few of each */
export async function namesWith(api: Api, text: string, signal: AbortSignal): Promise<Names> {
  const prefix = text.trim()
  if (prefix === '') return { albums: [], tags: [] }
  const few = { signal, query: { prefix, limit: FOUND_MAX } }
  const [someTags, tags, someAlbums, albums] = await Promise.all([
    api.get('/tags', few),
    api.get('/tags', { signal }),
    api.get('/v1/albums', few),
    api.get('/v1/albums', { signal })
  ])
  return {
    albums: withWord([...someAlbums.albums, ...albums.albums], prefix),
    tags: withWord([...someTags.tags, ...tags.tags], prefix)
  }
}

/** @returns those with a word that begins with the text, each once, the first ones first; {@link FOUND_MAX} at most */
export function withWord<T extends { readonly name: string; readonly album_id?: string | null }>(
  names: readonly T[],
  text: string
): T[] {
  const start = plain(text)
  const found = new Map<string, T>()
  for (const it of names) {
    const name = plain(it.name)
    const key = it.album_id ?? `label ${name}`
    const isFound = name.startsWith(start) || name.replace(/[^\p{L}\p{N}]+/gu, ' ').includes(` ${start}`)
    if (isFound && !found.has(key)) found.set(key, it)
    if (found.size === FOUND_MAX) break
  }
  return [...found.values()]
}

/** @returns the first tags in their order, and whether there are more */
export async function firstTags(
  api: Api,
  limit: number,
  signal: AbortSignal
): Promise<{ readonly tags: readonly Tag[]; readonly hasMore: boolean }> {
  const tags: Tag[] = []
  let after: string | null = ''
  while (after !== null && tags.length < limit) {
    const query = { limit: Math.min(limit - tags.length, PAGE_MAX), ...(after !== '' && { after }) }
    const page: Answer<'/tags'> = await api.get('/tags', { query, signal })
    tags.push(...page.tags)
    after = page.next_after
  }
  return { tags, hasMore: after !== null }
}

/** Case and accents make no difference. */
function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
}
