import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { ApiError } from '../api/client.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-uploads.js'
import { wordsFor } from '../texts/problems.js'
import type { UploadError, UploadItem } from '../upload/queue.js'
import { Icon } from './icons.js'
import { useWrites } from './lost-bar.js'
import './upload-panel.css'

/** Rows of files that are shown: first those in the trash and those that failed, then those that are under way. */
const ROWS_MAX = 50
const ORDER: Readonly<Record<UploadItem['state'], number>> = {
  failed: 0,
  sending: 1,
  hashing: 2,
  checking: 3,
  waiting: 4,
  trashed: -1,
  restored: 5,
  there: 6,
  done: 7
}

/** How the uploads are going: stays while one looks at other pages. */
export function UploadPanel(): JSX.Element | null {
  const { uploads, toasts } = useApp()
  const writes = useWrites()
  const isFolded = useSignal(false)
  const items = uploads.items.value
  if (items.length === 0) return null
  const totals = uploads.totals.value
  const isPaused = uploads.isPaused.value
  const isBusy = uploads.isBusy.value
  const { bytes, sentBytes, bytesPerS, leftS } = totals
  const restore = (): void =>
    void uploads.restore().catch(error => {
      if (!(error instanceof ApiError)) throw error
      toasts.say(wordsFor(error.code, error.detail))
    })
  const shown = [...items].sort((a, b) => ORDER[a.state] - ORDER[b.state]).slice(0, ROWS_MAX)
  const canRetry = items.some(it => it.state === 'failed' && it.error?.isPassing === true)
  return (
    <section class="uploads" aria-label={words.title}>
      <header class="uploads-head">
        <div class="uploads-title">
          <h2>{words.title}</h2>
          <p>
            {isBusy ? (isPaused ? words.paused : words.progress(totals.finished, totals.files)) : words.summary(totals)}
          </p>
        </div>
        {isBusy && (
          <button
            type="button"
            class="icon-button"
            aria-label={isPaused ? words.resume : words.pause}
            onClick={() => (isPaused ? uploads.resume() : uploads.pause())}
          >
            <Icon name={isPaused ? 'play' : 'pause'} />
          </button>
        )}
        <button
          type="button"
          class={isFolded.value ? 'icon-button is-turned' : 'icon-button'}
          aria-label={isFolded.value ? words.show : words.hide}
          aria-expanded={!isFolded.value}
          onClick={() => {
            isFolded.value = !isFolded.value
          }}
        >
          <Icon name="down" />
        </button>
        {!isBusy && (
          <button type="button" class="icon-button" aria-label={words.clear} onClick={() => uploads.clear()}>
            <Icon name="close" />
          </button>
        )}
      </header>
      {isBusy && (
        <div class="uploads-progress">
          <progress max={Math.max(1, bytes)} value={sentBytes} aria-label={words.progressLabel} />
          <p class="figures">
            <span>{`${t.size(sentBytes)} / ${t.size(bytes)}`}</span>
            {bytesPerS !== undefined && bytesPerS > 0 && (
              <span>{[words.speed(bytesPerS), ...(leftS === undefined ? [] : [words.left(leftS)])].join(', ')}</span>
            )}
          </p>
        </div>
      )}
      {totals.trashed > 0 && (
        <div class="note uploads-trashed" role="alert">
          <p>{words.inTrash(totals.trashed)}</p>
          <button type="button" class="button" {...writes} onClick={restore}>
            {words.restore}
          </button>
        </div>
      )}
      {!isFolded.value && (
        <>
          <ul class="uploads-list">
            {shown.map(item => (
              <UploadRow key={item.id} item={item} />
            ))}
          </ul>
          {canRetry && (
            <button type="button" class="button" onClick={() => uploads.retry()}>
              {words.retry}
            </button>
          )}
        </>
      )}
    </section>
  )
}

function UploadRow({ item }: { readonly item: UploadItem }): JSX.Element {
  const { file, state, sent, error } = item
  return (
    <li class={`upload-row is-${state}`}>
      <span class="upload-name" title={file.folder === '' ? file.name : `${file.folder}/${file.name}`}>
        {file.name}
      </span>
      <span class="upload-state">
        {state === 'sending' ? `${Math.floor((Math.min(sent, file.size) / file.size) * 100)} %` : words[state]}
      </span>
      {error !== undefined && <span class="upload-error">{errorText(error)}</span>}
    </li>
  )
}

function errorText({ code, detail }: UploadError): string {
  switch (code) {
    case 'junk':
    case 'empty':
    case 'noMedia':
    case 'unreadable':
      return words[code]
    default:
      return wordsFor(code, detail)
  }
}
