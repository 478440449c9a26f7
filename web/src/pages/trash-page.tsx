import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { TrashedPhoto } from '../api/client.js'
import { useLoaded } from '../parts/loaded.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { Blur } from '../parts/tile.js'
import { useApp } from '../state/app.js'
import { restorePhotos } from '../state/edits.js'
import { t } from '../texts/en.js'

const PAGE = 100

/** What was deleted and can still be had back. */
export function TrashPage(): JSX.Element {
  const app = useApp()
  const limit = useSignal(PAGE)
  const trash = useLoaded(
    `trash ${limit.value}`,
    signal => app.api.get('/trash', { query: { limit: limit.peek() }, signal }),
    {
      follows: true
    }
  )
  const restore = async (id: string): Promise<void> => {
    const { done } = await restorePhotos(app.api, [id])
    app.toasts.say(done.length > 0 ? t.selection.restored(1) : t.selection.failed(1))
    trash.load()
  }
  const { photos = [], next_cursor: next = null } = trash.value.value ?? {}
  return (
    <ScrollPage>
      <h1>{t.trash}</h1>
      <p class="quiet">{t.trashPage.hint}</p>
      {trash.error.value !== undefined && <Problem error={trash.error.value} onAgain={trash.load} />}
      {trash.value.value !== undefined && photos.length === 0 && <p class="empty">{t.trashPage.empty}</p>}
      <ul class="trash">
        {photos.map(photo => (
          <TrashRow key={photo.photo_id} photo={photo} onRestore={() => void restore(photo.photo_id)} />
        ))}
      </ul>
      {next !== null && limit.value < 1_000 && (
        <button
          type="button"
          class="button"
          onClick={() => {
            limit.value = Math.min(1_000, limit.peek() + PAGE)
          }}
        >
          {t.trashPage.more}
        </button>
      )}
    </ScrollPage>
  )
}

/** Its picture is gone with it: what is left is the blur that stands in its record. */
function TrashRow({ photo, onRestore }: { readonly photo: TrashedPhoto; readonly onRestore: () => void }): JSX.Element {
  const { name, thumbhash, restorable, purge_after, taken_at, created_at } = photo
  return (
    <li class="trash-row">
      <span class="trash-picture">
        <Blur hash={thumbhash ?? undefined} />
      </span>
      <span class="trash-name">
        <strong>{name}</strong>
        <span class="quiet">{taken_at === null ? t.moment(created_at) : t.taken(taken_at)}</span>
      </span>
      <span class="quiet trash-until">{restorable ? t.trashPage.until(purge_after) : t.trashPage.gone}</span>
      <button
        type="button"
        class="button"
        disabled={!restorable}
        aria-label={`${t.trashPage.restore}: ${name}`}
        onClick={onRestore}
      >
        {t.trashPage.restore}
      </button>
    </li>
  )
}
