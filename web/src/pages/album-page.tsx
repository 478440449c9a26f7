import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { ApiError } from '../api/client.js'
import { AlbumCards } from '../parts/album-cards.js'
import { Dialog } from '../parts/dialog.js'
import { Icon, type IconName } from '../parts/icons.js'
import { lazy } from '../parts/lazy.js'
import { useLoaded } from '../parts/loaded.js'
import { useMayEdit, useWrites } from '../parts/lost-bar.js'
import { NameForm } from '../parts/name-form.js'
import { Problem } from '../parts/problem.js'
import { formatRoute } from '../router.js'
import { useApp } from '../state/app.js'
import { mayHandOver, mayOpenSharing } from '../state/shares.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-albums.js'
import { wordsFor } from '../texts/problems.js'
import { NewAlbum } from './new-album.js'
import { PhotosPage } from './photos-page.js'

const ShareAlbum = lazy(
  async () => (await import('./share-album.js')).ShareAlbum,
  () => null
)
const MoveAlbum = lazy(
  async () => (await import('./move-album.js')).MoveAlbum,
  () => null
)

/** Roles of those who may change an album. */
const CHANGING: ReadonlySet<string> = new Set(['manager', 'owner'])

type Asks = 'rename' | 'share' | 'move' | 'create' | 'delete'

/** The photos of an album and the albums in it, and what can be done with it. */
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
  const inside = useLoaded(`in ${id}`, signal => app.api.get('/v1/albums', { query: { parent: id }, signal }), {
    follows: true
  })
  const parent = album.value.value?.parent ?? null
  const above = useLoaded(
    `above ${parent}`,
    async signal => (parent === null ? undefined : app.api.get('/v1/albums/{id}', { params: { id: parent }, signal })),
    { follows: true }
  )
  const asks = useSignal<Asks | undefined>(undefined)
  const writes = useWrites()
  const mayEdit = useMayEdit()
  if (album.error.value !== undefined) return <Problem error={album.error.value} />
  const { name = '', count = 0, inherits = false } = album.value.value ?? {}
  const albums = inside.value.value?.albums ?? []
  // without accounts everybody may do all
  const { user } = app.session
  const mayMove = mayEdit && (sharing === undefined || mayHandOver(sharing, user.value))
  const mayChange = mayEdit && (sharing === undefined || sharing.owner === null || CHANGING.has(sharing.role))
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
      app.toasts.say(words.deleted(name), { label: t.undo, run: restore })
      app.replace({ page: 'albums' })
    })
  const act = (icon: IconName, label: string, what: Asks): JSX.Element => (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={writes.title ?? label}
      disabled={writes.disabled}
      onClick={() => {
        asks.value = what
      }}
    >
      <Icon name={icon} />
    </button>
  )
  const head = (
    <>
      <div class="page-head in-gallery">
        <div>
          {above.value.value !== undefined && parent !== null && (
            <a class="quiet" href={formatRoute({ page: 'album', id: parent })}>
              {above.value.value.name}
              {!inherits && user.value !== undefined && ` (${words.closed})`}
            </a>
          )}
          <h1>{name}</h1>
          <p class="quiet">{t.photos(count)}</p>
        </div>
        {sharing !== undefined && mayOpenSharing(sharing, user.value) && (
          <button
            type="button"
            class="button"
            {...writes}
            onClick={() => {
              asks.value = 'share'
            }}
          >
            {words.share}
          </button>
        )}
        {mayChange && act('edit', words.rename, 'rename')}
        {mayChange && act('add', words.createIn, 'create')}
        {mayMove && act('albums', words.move, 'move')}
        {mayMove && act('trash', words.delete, 'delete')}
      </div>
      {albums.length > 0 && (
        <section class="in-gallery inside" aria-label={words.inside}>
          <AlbumCards albums={albums} />
        </section>
      )}
    </>
  )
  return (
    <>
      <PhotosPage key={id} filters={{ album: id }} head={head} empty={t.library.emptyAlbum} album={id} />
      {asks.value === 'rename' && (
        <Dialog title={words.rename} onClose={close}>
          <NameForm label={words.title} action={t.save} known={[]} value={name} onName={rename} />
        </Dialog>
      )}
      {asks.value === 'create' && <NewAlbum parent={id} onClose={close} />}
      {asks.value === 'move' && album.value.value !== undefined && (
        <MoveAlbum album={album.value.value} onMoved={album.load} onClose={close} />
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
        <Dialog title={words.delete} onClose={close}>
          <p>{words.confirmDelete(name)}</p>
          <div class="buttons">
            <button type="button" class="button" onClick={close}>
              {t.cancel}
            </button>
            <button type="button" class="button button-danger" onClick={remove}>
              {words.delete}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
