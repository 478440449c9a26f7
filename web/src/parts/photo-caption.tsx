import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { useApp } from '../state/app.js'
import { editPhoto, type TaggedMeta } from '../state/edits.js'
import { t } from '../texts/en.js'
import { wordsFor } from '../texts/problems.js'
import { useWrites } from './lost-bar.js'

export interface PhotoCaptionProps {
  readonly meta: TaggedMeta
  /** It is to be read anew. */
  readonly onChange: () => void
  /** Why it was not saved; empty: no more. */
  readonly onProblem: (text: string) => void
}

/** What was typed and is not saved yet. */
interface Draft {
  readonly text: string
  /** The caption that it is to replace. */
  readonly seen: string
}

/** The caption is saved when its box is left, in whatever way; what cannot be saved stays in the box. */
export function PhotoCaption({ meta, onChange, onProblem }: PhotoCaptionProps): JSX.Element {
  const app = useApp()
  const writes = useWrites()
  const box = useRef<HTMLTextAreaElement>(null)
  const draft = useRef<Draft | undefined>(undefined)
  /** What was saved here last. */
  const own = useRef<string | undefined>(undefined)
  const { body, etag } = meta
  const current = body.caption ?? ''

  /** @returns the caption that somebody else has written meanwhile; undefined when it was saved */
  const write = async ({ text, seen }: Draft): Promise<string | undefined> => {
    const isOurs = (caption: string): boolean => caption === seen || caption === own.current
    if (!isOurs(current)) return current
    const edit = (over: string): Promise<void> =>
      editPhoto(app.api, body.photo_id, { caption: text === '' ? null : text }, over)
    try {
      await edit(etag)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'ERR_PRECONDITION_FAILED') throw error
      const now = await app.api.getTagged('/photo/{id}/meta', { params: { id: body.photo_id } })
      const theirs = now.body.caption ?? ''
      if (!isOurs(theirs)) return theirs
      await edit(now.etag)
    }
    own.current = text
    return undefined
  }
  const save = async (): Promise<void> => {
    const typed = draft.current
    draft.current = undefined
    if (typed === undefined || typed.text === current) return
    onProblem('')
    try {
      const theirs = await write(typed)
      if (theirs === undefined) app.toasts.say(t.photo.saved)
      else {
        draft.current ??= { text: typed.text, seen: theirs }
        onProblem(t.photo.conflict(theirs))
      }
      onChange()
    } catch (error) {
      draft.current ??= typed
      if (!(error instanceof ApiError)) throw error
      onProblem(wordsFor(error.code, error.detail))
    }
  }
  const latest = useRef(save)
  latest.current = save
  useEffect(() => () => void latest.current(), [])
  useEffect(() => {
    if (box.current !== null && draft.current === undefined) box.current.value = current
  }, [current])
  return (
    <label class="field">
      <span>{t.photo.caption}</span>
      <textarea
        ref={box}
        defaultValue={current}
        placeholder={t.photo.captionHint}
        rows={2}
        maxLength={2000}
        readOnly={writes.disabled}
        title={writes.title}
        onInput={({ currentTarget }) => {
          draft.current = { text: currentTarget.value.trim(), seen: draft.current?.seen ?? current }
        }}
        onBlur={() => void save()}
        onKeyDown={event => {
          if (event.key !== 'Escape' && (event.key !== 'Enter' || event.shiftKey)) return
          event.preventDefault()
          event.stopPropagation()
          event.currentTarget.blur()
        }}
      />
    </label>
  )
}
