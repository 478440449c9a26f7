import { type ReadonlySignal, useSignal } from '@preact/signals'
import { ApiError } from '../api/client.js'
import { type App, useApp } from '../state/app.js'
import {
  type DuplicateGroup,
  type Duplicates,
  groupOf,
  type Merged,
  mergePhotos,
  TOLD_APART_MAX,
  tellApart,
  undoMerges
} from '../state/duplicates.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-duplicates.js'
import { wordsFor } from '../texts/problems.js'
import { SHOWN_MAX } from './duplicate-group.js'

/** Which photo of which group keys are about. */
interface Place {
  readonly group: string
  readonly photo: string
}

/** What a person does to groups of duplicates, one after the other. */
export interface Review {
  /** A change is on its way: there is no other one meanwhile. */
  readonly isBusy: ReadonlySignal<boolean>
  /** @returns the group that keys are about; undefined: there is none */
  groupHere(): DuplicateGroup | undefined
  /** @returns the photo of the group that keys would be about */
  photoHere(group: DuplicateGroup): string
  /** @returns the photo that stays: the one that was chosen, else the best */
  keptOf(group: DuplicateGroup): string
  setHere(group: DuplicateGroup, photo: string): void
  step(by: 1 | -1): void
  stepGroup(by: 1 | -1): void
  readonly keepThis: (group: DuplicateGroup, photo: string) => void
  readonly merge: (group: DuplicateGroup) => void
  readonly keepAll: (group: DuplicateGroup) => void
  readonly notThis: (group: DuplicateGroup, photo: string) => void
}

export function useReview(duplicates: Duplicates): Review {
  const app = useApp()
  const here = useSignal<Place | undefined>(undefined)
  /** By group. */
  const chosen = useSignal<ReadonlyMap<string, string>>(new Map())
  const isBusy = useSignal(false)
  const { groups } = duplicates
  const shown = groups.value ?? []

  const groupHere = (): DuplicateGroup | undefined => shown.find(({ key }) => key === here.value?.group) ?? shown[0]
  const keptOf = (group: DuplicateGroup): string => {
    const keep = chosen.value.get(group.key)
    return group.photos.find(({ photo_id }) => photo_id === keep)?.photo_id ?? (group.photos[0]?.photo_id as string)
  }
  const photoHere = (group: DuplicateGroup): string =>
    group.photos.find(({ photo_id }) => photo_id === here.value?.photo)?.photo_id ?? keptOf(group)

  const goTo = (group: DuplicateGroup | undefined, photo?: string): void => {
    const id = photo ?? group?.photos[0]?.photo_id
    if (group === undefined || id === undefined) return
    here.value = { group: group.key, photo: id }
    focusOn(id)
  }
  const step = (by: 1 | -1): void => {
    const group = groupHere()
    if (group === undefined) return
    const ids = group.photos.slice(0, SHOWN_MAX).map(({ photo_id }) => photo_id)
    goTo(group, ids[ids.indexOf(photoHere(group)) + by] ?? photoHere(group))
  }
  const stepGroup = (by: 1 | -1): void => {
    const at = shown.findIndex(({ key }) => key === groupHere()?.key)
    goTo(shown[at + by] ?? shown[at])
  }
  /** Does it to a group, then goes on to the next one. @param rest - what is left of the group @param back - undoes it */
  const change = async (
    group: DuplicateGroup,
    rest: DuplicateGroup | undefined,
    act: () => Promise<{ readonly said: string; readonly back: () => Promise<unknown> }>
  ): Promise<void> => {
    if (isBusy.peek()) return
    isBusy.value = true
    try {
      const { said, back } = await act()
      const at = shown.findIndex(({ key }) => key === group.key)
      duplicates.replace(group, rest)
      sayUndoable(app, said, async () => {
        await back()
        duplicates.putBack(group, at, rest)
        goTo(group)
      })
      goTo(rest ?? groups.peek()?.[at] ?? groups.peek()?.at(-1))
      // what did not fit into one request
      if (rest === undefined && group.size > group.photos.length) await duplicates.load(group.tier)
    } catch (reason) {
      sayWhy(app, reason)
    } finally {
      isBusy.value = false
    }
  }
  const merge = (group: DuplicateGroup): void => {
    const keep = keptOf(group)
    const others = group.photos.map(({ photo_id }) => photo_id).filter(id => id !== keep)
    void change(group, undefined, async () => {
      const merged = await mergePhotos(app.api, keep, others)
      return { said: mergedText([merged]), back: () => undoMerges(app.api, [merged]) }
    })
  }
  /** @param ids - that are no duplicates of `others` */
  const apart = (
    group: DuplicateGroup,
    rest: DuplicateGroup | undefined,
    pairs: { readonly ids: readonly string[]; readonly others: readonly string[]; readonly said: string }
  ): void => {
    const { ids, others, said } = pairs
    if (group.size - 1 > TOLD_APART_MAX) app.toasts.say(words.tooMany(TOLD_APART_MAX))
    else
      void change(group, rest, async () => {
        await tellApart(app.api, ids, others, true)
        return { said, back: () => tellApart(app.api, ids, others, false) }
      })
  }
  const keepAll = (group: DuplicateGroup): void => {
    const ids = group.photos.map(({ photo_id }) => photo_id)
    apart(group, undefined, { ids: ids.slice(1), others: ids.slice(0, -1), said: words.keptAll })
  }
  const notThis = (group: DuplicateGroup, id: string): void => {
    const left = group.photos.filter(({ photo_id }) => photo_id !== id)
    const rest = left.length < 2 ? undefined : groupOf(group.tier, left, group.size - 1, group.score)
    const others = left.map(({ photo_id }) => photo_id)
    apart(group, rest, { ids: [id], others, said: words.apart })
  }
  const keepThis = (group: DuplicateGroup, id: string): void => {
    chosen.value = new Map(chosen.peek()).set(group.key, id)
  }
  const setHere = (group: DuplicateGroup, photo: string): void => {
    here.value = { group: group.key, photo }
  }
  return { isBusy, groupHere, photoHere, keptOf, setHere, step, stepGroup, keepThis, merge, keepAll, notThis }
}

/** Tells what became of it when the node has refused. @throws what is no answer of a node */
export function sayWhy(app: App, reason: unknown): void {
  if (!(reason instanceof ApiError)) throw reason
  app.toasts.say(wordsFor(reason.code, reason.detail))
}

/** Tells what was done, with a way back. @param back - ends when all is as before */
export function sayUndoable(app: App, said: string, back: () => Promise<unknown>): void {
  const undo = async (): Promise<void> => {
    await back()
    app.toasts.say(words.undone)
  }
  app.toasts.say(said, { label: t.undo, run: () => void undo().catch(reason => sayWhy(app, reason)) })
}

export function mergedText(merges: readonly Merged[]): string {
  const deleted = merges.reduce((sum, merged) => sum + merged.deleted.length, 0)
  const failed = merges.reduce((sum, merged) => sum + merged.failed, 0)
  const said = words.merged(deleted)
  return failed > 0 ? `${said}. ${t.selection.failed(failed)}.` : said
}

/** When it is there: after what was just changed was drawn. */
export function focusOn(id: string): void {
  requestAnimationFrame(() => {
    const link = document.querySelector<HTMLElement>(`[data-duplicate="${id}"] .duplicate-picture`)
    link?.focus({ preventScroll: true })
    link?.closest('.duplicate-group')?.scrollIntoView({ block: 'nearest' })
    link?.closest('.duplicate')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  })
}
