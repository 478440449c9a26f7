import type { JSX } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { ApiError } from '../api/client.js'
import { useApp } from '../state/app.js'
import { type Draft, Drafts } from '../state/drafts.js'
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

/**
 * The caption is saved when its box, the photo or the page is left, in whatever way. What cannot be saved stays in the box, also
 * for the next visit.
 */
export function PhotoCaption({ meta, onChange, onProblem }: PhotoCaptionProps): JSX.Element {
  const app = useApp()
  const writes = useWrites()
  const box = useRef<HTMLTextAreaElement>(null)
  const draft = useRef<Draft | undefined>(undefined)
  /** What was saved here last. */
  const own = useRef<string | undefined>(undefined)
  /** Somebody else was faster, and the person has not come back to the box since. */
  const isRefused = useRef(false)
  const drafts = useMemo(() => new Drafts(localStorage), [])
  const by = app.session.user.value?.user_id ?? ''
  const { body, etag } = meta
  const { photo_id: id } = body
  const current = body.caption ?? ''

  /** @returns the caption that somebody else has written meanwhile; undefined when it was saved */
  const write = async ({ text, seen }: Draft): Promise<string | undefined> => {
    const isOurs = (caption: string): boolean => caption === seen || caption === own.current
    if (!isOurs(current)) return current
    const edit = (over: string): Promise<void> => editPhoto(app.api, id, { caption: text === '' ? null : text }, over)
    try {
      await edit(etag)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'ERR_PRECONDITION_FAILED') throw error
      const now = await app.api.getTagged('/photo/{id}/meta', { params: { id } })
      const theirs = now.body.caption ?? ''
      if (!isOurs(theirs)) return theirs
      await edit(now.etag)
    }
    own.current = text
    return undefined
  }
  const save = async (): Promise<void> => {
    const typed = draft.current
    if (typed === undefined || isRefused.current || app.isOver) return
    draft.current = undefined
    if (typed.text === current) return drafts.drop(id)
    onProblem('')
    try {
      const theirs = await write(typed)
      if (theirs === undefined) {
        if (draft.current === undefined) drafts.drop(id)
        app.toasts.say(t.photo.saved)
      } else {
        draft.current ??= { ...typed, seen: theirs }
        isRefused.current = document.activeElement !== box.current
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
  useEffect(() => {
    if (box.current !== null && draft.current === undefined) box.current.value = current
  }, [current])
  useEffect(() => {
    const kept = drafts.get(id, by)
    if (kept === undefined || draft.current !== undefined || box.current === null) return
    draft.current = kept
    box.current.value = kept.text
    void latest.current()
  }, [by])
  useEffect(() => {
    const leave = (): void => void latest.current()
    const hide = (): void => {
      if (document.hidden) leave()
    }
    document.addEventListener('visibilitychange', hide)
    window.addEventListener('pagehide', leave)
    return () => {
      document.removeEventListener('visibilitychange', hide)
      window.removeEventListener('pagehide', leave)
      leave()
    }
  }, [])
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
        onFocus={() => {
          isRefused.current = false
        }}
        onInput={({ currentTarget }) => {
          draft.current = { text: currentTarget.value.trim(), seen: draft.current?.seen ?? current, by }
          drafts.keep(id, draft.current)
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
