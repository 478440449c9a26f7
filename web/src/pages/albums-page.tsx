import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { type Album, ApiError } from '../api/client.js'
import { sizeUrl } from '../api/photo-urls.js'
import { Dialog } from '../parts/dialog.js'
import { Icon } from '../parts/icons.js'
import { lazy } from '../parts/lazy.js'
import { useLoaded } from '../parts/loaded.js'
import { useMayEdit, useWrites } from '../parts/lost-bar.js'
import { NameForm } from '../parts/name-form.js'
import { NameLinks } from '../parts/name-links.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { formatRoute, type Route } from '../router.js'
import { useApp } from '../state/app.js'
import { firstTags } from '../state/names.js'
import { mayOpenSharing } from '../state/shares.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { PhotosPage } from './photos-page.js'
import './albums-page.css'

const ShareAlbum = lazy(
  async () => (await import('./share-album.js')).ShareAlbum,
  () => null
)

/** As many more are shown each time. */
const TAGS = 100

/** All albums, with their covers, and all tags. */
export function AlbumsPage(): JSX.Element {
  const app = useApp()
  const albums = useLoaded('albums', signal => app.api.get('/v1/albums', { signal }), { follows: true })
  const isAsking = useSignal(false)
  const writes = useWrites()
  const mayEdit = useMayEdit()
  const create = async (title: string): Promise<void> => {
    isAsking.value = false
    try {
      const { album_id } = await app.api.post('/v1/albums', { title })
      if (album_id !== null) app.go({ page: 'album', id: album_id })
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    }
  }
  const limit = useSignal(TAGS)
  const tags = useLoaded('tags', signal => firstTags(app.api, limit.peek(), signal), { follows: true })
  const all = albums.value.value?.albums
  const { tags: shown = [], hasMore = false } = tags.value.value ?? {}
  return (
    <ScrollPage>
      <div class="page-head">
        <h1>{t.albums}</h1>
        {mayEdit && (
          <button
            type="button"
            class="button"
            {...writes}
            onClick={() => {
              isAsking.value = true
            }}
          >
            <Icon name="add" />
            {t.albumsPage.create}
          </button>
        )}
      </div>
      {albums.error.value !== undefined && <Problem error={albums.error.value} onAgain={albums.load} />}
      <div class="shelf">
        <a class="button" href={formatRoute({ page: 'favourites' })}>
          <Icon name="heart" />
          {t.favourites}
        </a>
        <a class="button" href={formatRoute({ page: 'archive' })}>
          <Icon name="archive" />
          {t.archive}
        </a>
      </div>
      {all?.length === 0 && <p class="empty">{t.albumsPage.empty}</p>}
      <ul class="albums">
        {all?.map(album => (
          <li key={album.album_id ?? `label ${album.name}`}>
            <AlbumCard album={album} />
          </li>
        ))}
      </ul>
      {shown.length > 0 && (
        <section aria-label={t.tags}>
          <h2>{t.tags}</h2>
          <NameLinks names={shown.map(({ name, count }) => ({ route: { page: 'tag', name }, name, count }))} />
          {hasMore && (
            <button
              type="button"
              class="button"
              onClick={() => {
                limit.value += TAGS
                tags.load()
              }}
            >
              {t.more}
            </button>
          )}
        </section>
      )}
      {isAsking.value && (
        <Dialog
          title={t.albumsPage.create}
          onClose={() => {
            isAsking.value = false
          }}
        >
          <NameForm
            label={t.albumsPage.title}
            action={t.selection.create}
            known={[]}
            onName={title => void create(title)}
          />
        </Dialog>
      )}
    </ScrollPage>
  )
}

function AlbumCard({ album }: { readonly album: Album }): JSX.Element {
  const { album_id, name, count, cover } = album
  const content = (
    <>
      <span class="cover">
        {cover === null ? <Icon name="albums" /> : <img src={sizeUrl(cover, 'small')} alt="" loading="lazy" />}
      </span>
      <strong>{name}</strong>
      <span class="quiet">{t.photos(count)}</span>
    </>
  )
  const route: Route = album_id === null ? { page: 'label', name } : { page: 'album', id: album_id }
  return (
    <a class="album-card" href={formatRoute(route)}>
      {content}
    </a>
  )
}

/** The photos of an album, and what can be done with it. */
export function AlbumPage({ id }: { readonly id: string }): JSX.Element {
  const app = useApp()
  const album = useLoaded(id, signal => app.api.get('/v1/albums/{id}', { params: { id }, signal }), { follows: true })
  // who has no account has nothing to share
  const isSharer = app.session.can.value.has('share')
  const shares = useLoaded(
    `shares ${isSharer} ${id}`,
    async signal => (isSharer ? await app.api.get('/v1/albums/{id}/shares', { params: { id }, signal }) : undefined),
    { follows: true }
  )
  const sharing = shares.value.value
  const asks = useSignal<'rename' | 'share' | 'delete' | undefined>(undefined)
  const writes = useWrites()
  const mayEdit = useMayEdit()
  if (album.error.value !== undefined) return <Problem error={album.error.value} />
  const { name = '', count = 0 } = album.value.value ?? {}
  const close = (): void => {
    asks.value = undefined
  }
  const guarded = async (change: () => Promise<void>): Promise<void> => {
    close()
    try {
      await change()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    }
  }
  const rename = (title: string): void =>
    void guarded(async () => {
      await app.api.patch('/v1/albums/{id}', { title }, { params: { id } })
      album.load()
    })
  const restore = (): void =>
    void guarded(async () => {
      await app.api.post('/v1/albums/{id}/undelete', undefined, { params: { id } })
      app.go({ page: 'album', id })
    })
  const remove = (): void =>
    void guarded(async () => {
      await app.api.delete('/v1/albums/{id}', { params: { id } })
      app.toasts.say(t.albumsPage.deleted(name), { label: t.undo, run: restore })
      app.replace({ page: 'albums' })
    })
  const head = (
    <div class="page-head in-gallery">
      <div>
        <h1>{name}</h1>
        <p class="quiet">{t.photos(count)}</p>
      </div>
      {sharing !== undefined && mayOpenSharing(sharing, app.session.user.value) && (
        <button
          type="button"
          class="button"
          {...writes}
          onClick={() => {
            asks.value = 'share'
          }}
        >
          {t.albumsPage.share}
        </button>
      )}
      {mayEdit && (
        <>
          <button
            type="button"
            class="icon-button"
            aria-label={t.albumsPage.rename}
            title={writes.title ?? t.albumsPage.rename}
            disabled={writes.disabled}
            onClick={() => {
              asks.value = 'rename'
            }}
          >
            <Icon name="edit" />
          </button>
          <button
            type="button"
            class="icon-button"
            aria-label={t.albumsPage.delete}
            title={writes.title ?? t.albumsPage.delete}
            disabled={writes.disabled}
            onClick={() => {
              asks.value = 'delete'
            }}
          >
            <Icon name="trash" />
          </button>
        </>
      )}
    </div>
  )
  return (
    <>
      <PhotosPage key={id} filters={{ album: id }} head={head} empty={t.library.emptyAlbum} album={id} />
      {asks.value === 'rename' && (
        <Dialog title={t.albumsPage.rename} onClose={close}>
          <NameForm label={t.albumsPage.title} action={t.save} known={[]} value={name} onName={rename} />
        </Dialog>
      )}
      {asks.value === 'share' && sharing !== undefined && (
        <ShareAlbum
          id={id}
          name={name}
          sharing={sharing}
          error={shares.error.value}
          onChange={shares.load}
          onClose={close}
        />
      )}
      {asks.value === 'delete' && (
        <Dialog title={t.albumsPage.delete} onClose={close}>
          <p>{t.albumsPage.confirmDelete(name)}</p>
          <div class="buttons">
            <button type="button" class="button" onClick={close}>
              {t.cancel}
            </button>
            <button type="button" class="button button-danger" onClick={remove}>
              {t.albumsPage.delete}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
