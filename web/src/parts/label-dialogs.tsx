import type { JSX } from 'preact'
import { ApiError } from '../api/client.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { Dialog } from './dialog.js'
import { useLoaded } from './loaded.js'
import { NameForm } from './name-form.js'

/** Which tag. */
export function AskTag({
  onTag,
  onClose
}: {
  readonly onTag: (tag: string) => void
  readonly onClose: () => void
}): JSX.Element {
  const app = useApp()
  const tags = useLoaded('tags', signal => app.api.get('/tags', { signal }))
  return (
    <Dialog title={t.selection.tag} onClose={onClose}>
      <NameForm
        label={t.selection.tagPrompt}
        action={t.save}
        known={tags.value.value?.tags.map(({ name }) => name) ?? []}
        onName={onTag}
      />
    </Dialog>
  )
}

/** Which album, or a new one. */
export function AskAlbum({
  onAlbum,
  onClose
}: {
  readonly onAlbum: (id: string, name: string) => void
  readonly onClose: () => void
}): JSX.Element {
  const app = useApp()
  const albums = useLoaded('albums', signal => app.api.get('/v1/albums', { signal }))
  const create = async (title: string): Promise<void> => {
    try {
      const { album_id, name } = await app.api.post('/v1/albums', { title })
      if (album_id !== null) onAlbum(album_id, name)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    }
  }
  return (
    <Dialog title={t.selection.album} onClose={onClose}>
      <NameForm
        label={t.selection.newAlbum}
        action={t.selection.create}
        known={[]}
        onName={title => void create(title)}
      />
      <ul class="choices">
        {albums.value.value?.albums.map(
          ({ album_id, name, count }) =>
            album_id !== null && (
              <li key={album_id}>
                <button type="button" onClick={() => onAlbum(album_id, name)}>
                  <span>{name}</span>
                  <span class="quiet">{t.photos(count)}</span>
                </button>
              </li>
            )
        )}
      </ul>
    </Dialog>
  )
}
