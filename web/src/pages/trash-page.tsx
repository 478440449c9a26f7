import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { ApiError, type TrashedPhoto } from '../api/client.js'
import { Dialog } from '../parts/dialog.js'
import { useLoaded } from '../parts/loaded.js'
import { useWrites } from '../parts/lost-bar.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { Blur } from '../parts/tile.js'
import { useApp } from '../state/app.js'
import { emptyTrash, restorePhotos } from '../state/edits.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'

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
  const isAsking = useSignal(false)
  const writes = useWrites()
  const close = (): void => {
    isAsking.value = false
  }
  const empty = async (): Promise<void> => {
    close()
    try {
      app.toasts.say(t.trashPage.emptied(await emptyTrash(app.api)))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    }
    trash.load()
  }
  const { photos = [], next_cursor: next = null } = trash.value.value ?? {}
  return (
    <ScrollPage>
      <div class="page-head">
        <h1>{t.trash}</h1>
        {photos.length > 0 && (
          <button
            type="button"
            class="button"
            {...writes}
            onClick={() => {
              isAsking.value = true
            }}
          >
            {t.trashPage.emptyIt}
          </button>
        )}
      </div>
      {isAsking.value && (
        <Dialog title={t.trashPage.emptyIt} onClose={close}>
          <p>{t.trashPage.emptyHint}</p>
          <div class="buttons">
            <button type="button" class="button" onClick={close}>
              {t.cancel}
            </button>
            <button type="button" class="button button-danger" onClick={() => void empty()}>
              {t.trashPage.emptyIt}
            </button>
          </div>
        </Dialog>
      )}
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
          {t.more}
        </button>
      )}
    </ScrollPage>
  )
}

/** Its picture is gone with it: what is left is the blur that stands in its record. */
function TrashRow({ photo, onRestore }: { readonly photo: TrashedPhoto; readonly onRestore: () => void }): JSX.Element {
  const writes = useWrites()
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
        disabled={!restorable || writes.disabled}
        title={writes.title}
        aria-label={`${t.trashPage.restore}: ${name}`}
        onClick={onRestore}
      >
        {t.trashPage.restore}
      </button>
    </li>
  )
}
