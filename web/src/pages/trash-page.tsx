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
import { words } from '../texts/en-trash.js'
import { wordsFor } from '../texts/problems.js'
import './trash-page.css'

const PAGE = 100
const DAY_MS = 86_400_000

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
  const chosen = useSignal<ReadonlySet<string>>(new Set())
  const choose = (id: string, isChosen: boolean): void => {
    const next = new Set(chosen.peek())
    if (isChosen) next.add(id)
    else next.delete(id)
    chosen.value = next
  }
  const restore = async (ids: readonly string[]): Promise<void> => {
    await told(async () => {
      const { done, failed } = await restorePhotos(app.api, ids)
      for (const id of done) choose(id, false)
      return failed > 0 ? t.selection.failed(failed) : t.selection.restored(done.length)
    })
    trash.load()
  }
  /** Says what has come of it, or why nothing has. */
  const told = async (change: () => Promise<string>): Promise<void> => {
    try {
      app.toasts.say(await change())
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      app.toasts.say(wordsFor(error.code, error.detail))
    }
  }
  const isAsking = useSignal(false)
  const writes = useWrites()
  const close = (): void => {
    isAsking.value = false
  }
  const empty = async (): Promise<void> => {
    close()
    await told(async () => words.emptied(await emptyTrash(app.api)))
    trash.load()
  }
  const { photos = [], next_cursor: next = null } = trash.value.value ?? {}
  const restorable = photos.filter(it => it.restorable).map(it => it.photo_id)
  const selected = restorable.filter(id => chosen.value.has(id))
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
            {words.emptyIt}
          </button>
        )}
      </div>
      {isAsking.value && (
        <Dialog title={words.emptyIt} onClose={close}>
          <p>{words.emptyHint}</p>
          <div class="buttons">
            <button type="button" class="button" onClick={close}>
              {t.cancel}
            </button>
            <button type="button" class="button button-danger" onClick={() => void empty()}>
              {words.emptyIt}
            </button>
          </div>
        </Dialog>
      )}
      {photos.length > 0 && <p class="quiet">{words.hint(daysKept(photos))}</p>}
      {trash.error.value !== undefined && <Problem error={trash.error.value} onAgain={trash.load} />}
      {trash.value.value !== undefined && photos.length === 0 && <p class="empty">{words.empty}</p>}
      {restorable.length > 1 && (
        <div class="trash-head">
          <label>
            <input
              type="checkbox"
              checked={selected.length === restorable.length}
              onChange={event => {
                chosen.value = new Set(event.currentTarget.checked ? restorable : [])
              }}
            />
            {words.selectAll}
          </label>
          <button
            type="button"
            class="button button-strong"
            disabled={selected.length === 0 || writes.disabled}
            title={writes.title}
            onClick={() => void restore(selected)}
          >
            {words.restoreSelected(selected.length)}
          </button>
        </div>
      )}
      <ul class="trash">
        {photos.map(photo => (
          <TrashRow
            key={photo.photo_id}
            photo={photo}
            isChosen={chosen.value.has(photo.photo_id)}
            onChoose={isChosen => choose(photo.photo_id, isChosen)}
            onRestore={() => void restore([photo.photo_id])}
          />
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

/** As the photo that may stay longest: emptying leaves others a day. */
function daysKept(photos: readonly TrashedPhoto[]): number {
  const days = photos.map(it => (Date.parse(it.purge_after) - Date.parse(it.deleted_at)) / DAY_MS)
  return Math.max(1, Math.round(Math.max(...days)))
}

interface TrashRowProps {
  readonly photo: TrashedPhoto
  readonly isChosen: boolean
  readonly onChoose: (isChosen: boolean) => void
  readonly onRestore: () => void
}

/** No picture of what was deleted is given out: what is left is the blur that stands in its record. */
function TrashRow({ photo, isChosen, onChoose, onRestore }: TrashRowProps): JSX.Element {
  const writes = useWrites()
  const { name, thumbhash, restorable, deleted_at, purge_after, taken_at, created_at } = photo
  return (
    <li class="trash-row">
      <input
        type="checkbox"
        aria-label={`${words.select}: ${name}`}
        checked={restorable && isChosen}
        disabled={!restorable}
        onChange={event => onChoose(event.currentTarget.checked)}
      />
      <span class="trash-picture">
        <Blur hash={thumbhash ?? undefined} />
      </span>
      <span class="trash-name">
        <strong>{name}</strong>
        <span>{taken_at === null ? words.added(t.moment(created_at)) : words.taken(t.taken(taken_at))}</span>
        <span class="quiet">
          {words.deleted(deleted_at)}
          {restorable ? `, ${words.until(purge_after)}` : `, ${words.gone}`}
        </span>
      </span>
      <button
        type="button"
        class="button"
        disabled={!restorable || writes.disabled}
        title={writes.title}
        aria-label={`${words.restore}: ${name}`}
        onClick={onRestore}
      >
        {words.restore}
      </button>
    </li>
  )
}
