import type { Album, Api } from '../api/client.js'
import type { App } from './app.js'

/** Opens a link and shows what it is of. @throws {@link ApiError} such as `ERR_LINK_NOT_FOUND`, `ERR_LINK_PASSWORD`, `ERR_TOO_MANY_TRIES` */
export async function openLink(
  app: Pick<App, 'api' | 'session' | 'secret' | 'readAnew' | 'replace'>,
  secret: string,
  password: string | undefined
): Promise<void> {
  const opened = await app.api.post('/v1/links/open', { secret, ...(password !== undefined && { password }) })
  await app.session.reload()
  app.readAnew()
  const { album, list, metadata } = opened
  // whoever is logged in has the album among his own; it is listed by dates, which not every link tells
  app.replace(
    app.session.isGuest.peek() || album === null || !metadata
      ? { page: 'link', id: list }
      : { page: 'album', id: album.album_id }
  )
  app.secret.value = undefined
}

/** Nothing that links have opened is seen in this browser any more. @throws {@link ApiError} */
export async function closeLinks(app: Pick<App, 'api' | 'replace' | 'startAnew'>): Promise<void> {
  await app.api.delete('/v1/links/open')
  app.replace({ page: 'link', id: '' })
  app.startAnew()
}

/** What is known of photos before they are listed. */
export interface Linked {
  /** All that somebody sees. */
  readonly albums: readonly Album[]
  /** In which order all of the photos can be listed: when some were taken, a link may not tell. */
  readonly order: Readonly<Record<string, string>>
}

/** @throws {@link ApiError} */
export async function readLinked(
  api: Pick<Api, 'get'>,
  filters: Readonly<Record<string, string>>,
  signal: AbortSignal
): Promise<Linked> {
  const totalBy = async (sort: string): Promise<number | null> =>
    (await api.get('/photos', { query: { ...filters, sort, limit: 1 }, signal })).total
  const [{ albums }, taken, added] = await Promise.all([
    api.get('/v1/albums', { signal }),
    totalBy('taken'),
    totalBy('added')
  ])
  return { albums: [...albums], order: taken === added ? {} : { sort: 'added' } }
}
