import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { Album } from '../api/client.js'
import { Dialog } from '../parts/dialog.js'
import { useLoaded } from '../parts/loaded.js'
import { Problem } from '../parts/problem.js'
import { useTold } from '../parts/told.js'
import { type PlacedAlbum, placesFor } from '../state/album-tree.js'
import { useApp } from '../state/app.js'
import { words } from '../texts/en-albums.js'
import '../styles/form.css'

export interface MoveAlbumProps {
  readonly album: Album
  readonly onMoved: () => void
  readonly onClose: () => void
}

/** Where an album is to stand. */
export function MoveAlbum({ album, onMoved, onClose }: MoveAlbumProps): JSX.Element {
  const { api, session } = useApp()
  const told = useTold()
  const isOpen = useSignal(album.parent === null || album.inherits)
  const loaded = useLoaded('albums', signal => api.get('/v1/albums', { signal }))
  const id = album.album_id ?? ''
  const move = async (parent: PlacedAlbum | undefined): Promise<void> => {
    onClose()
    const isMoved = await told(async () => {
      const place = { parent: parent?.id ?? null, inherits: isOpen.peek() }
      await api.put('/v1/albums/{id}/parent', place, { params: { id } })
      return parent === undefined ? words.movedOut(album.name) : words.moved(album.name, parent.path)
    })
    if (isMoved) onMoved()
  }
  const places = placesFor(id, loaded.value.value?.albums ?? [])
  return (
    <Dialog title={words.move} onClose={onClose}>
      {loaded.error.value !== undefined && <Problem error={loaded.error.value} onAgain={loaded.load} />}
      {session.user.value !== undefined && (
        <label class="form-choice">
          <input
            type="checkbox"
            checked={isOpen.value}
            onChange={event => {
              isOpen.value = event.currentTarget.checked
            }}
          />
          {words.inherits}
        </label>
      )}
      {loaded.value.value !== undefined && places.length === 0 && <p class="quiet">{words.noPlace}</p>}
      <ul class="choices">
        {album.parent !== null && (
          <li>
            <button type="button" onClick={() => void move(undefined)}>
              <em>{words.nowhere}</em>
            </button>
          </li>
        )}
        {places.map(place => (
          <li key={place.id}>
            <button type="button" aria-current={place.id === album.parent} onClick={() => void move(place)}>
              <span>{place.path}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  )
}
