import { useComputed } from '@preact/signals'
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { Gallery } from '../parts/gallery.js'
import { lazy } from '../parts/lazy.js'
import { Problem } from '../parts/problem.js'
import { FileInput } from '../parts/shell.js'
import { Waiting } from '../parts/waiting.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { pickedFiles } from '../upload/dropped-files.js'
import './photos-page.css'

const SelectionBar = lazy(
  async () => (await import('../parts/selection-bar.js')).SelectionBar,
  () => null
)

export interface PhotosPageProps {
  readonly filters: Readonly<Record<string, string>>
  /** What they have in common; default: they are all that there are. */
  readonly title?: string
  /** Above the photos; default: the title, and how many there are. */
  readonly head?: JSX.Element | undefined
  /** Said when there is none; by default how to upload the first ones. */
  readonly empty?: string
  readonly album?: string
}

/** The photos that the filters let through, in time. */
export function PhotosPage({ filters, title, head: ownHead, empty, album }: PhotosPageProps): JSX.Element {
  const app = useApp()
  const timeline = app.timeline(filters)
  const total = timeline.total.value
  const error = timeline.error.value
  const hasChosen = useRef(false)
  if (useComputed(() => app.selection.value.size > 0).value) hasChosen.current = true
  if (error !== undefined && total === undefined) return <Problem error={error} onAgain={() => void timeline.load()} />
  if (total === undefined) return <Waiting />
  const head = ownHead ?? <Head title={title} total={total} />
  if (total === 0 && empty === undefined) return <FirstPhotos />
  if (total === 0)
    return (
      <>
        {head}
        <p class="empty">{empty}</p>
      </>
    )
  return (
    <>
      <Gallery timeline={timeline} head={head} />
      {hasChosen.current && <SelectionBar timeline={timeline} album={album} />}
    </>
  )
}

function Head({ title, total }: { readonly title: string | undefined; readonly total: number }): JSX.Element {
  const said = t.photos(total)
  return (
    <div class="page-head in-gallery">
      {title === undefined ? (
        <h1 class="quiet">{said}</h1>
      ) : (
        <div>
          <h1>{title}</h1>
          <p class="quiet">{said}</p>
        </div>
      )}
    </div>
  )
}

function FirstPhotos(): JSX.Element {
  const { uploads, session } = useApp()
  const files = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const add = (picked: File[]): void => uploads.add(pickedFiles(picked))
  if (!session.can.value.has('upload')) return <h1 class="empty">{t.library.emptyTitle}</h1>
  return (
    <div class="empty first-photos">
      <h1>{t.library.emptyTitle}</h1>
      <p>{t.library.empty}</p>
      <div class="buttons">
        <button type="button" class="button button-strong" onClick={() => files.current?.click()}>
          {t.library.chooseFiles}
        </button>
        <button type="button" class="button" onClick={() => folder.current?.click()}>
          {t.library.chooseFolder}
        </button>
      </div>
      <FileInput input={files} isFolder={false} onFiles={add} />
      <FileInput input={folder} isFolder onFiles={add} />
    </div>
  )
}
