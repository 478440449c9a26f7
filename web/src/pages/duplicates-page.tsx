import { useSignal, useSignalEffect } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import type { Status } from '../api/client.js'
import { type KeyActions, useKeys } from '../parts/keys.js'
import { useLoaded } from '../parts/loaded.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { Waiting } from '../parts/waiting.js'
import { useApp } from '../state/app.js'
import { type DuplicateGroup, Duplicates, type Merged, TIERS, type Tier, undoMerges } from '../state/duplicates.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-duplicates.js'
import { AcceptAll } from './accept-all.js'
import { Group } from './duplicate-group.js'
import { focusOn, mergedText, sayUndoable, sayWhy, useReview } from './use-review.js'
import './duplicates-page.css'

/** Photos that are there more than once: which of them stays, and what becomes of the others. */
export function DuplicatesPage(): JSX.Element {
  const app = useApp()
  const duplicates = useMemo(() => new Duplicates(app.api), [])
  const review = useReview(duplicates)
  const tier = useSignal<Tier>('exact')
  const status = useLoaded('status', async signal =>
    app.session.can.peek().has('watch') ? await app.api.get('/status', { signal }) : undefined
  )
  useEffect(() => app.live.onProgress('index', status.load), [])
  const { groups, counts, error } = duplicates
  const shown = groups.value ?? []
  const load = async (wanted?: Tier): Promise<void> => {
    if (wanted !== undefined) tier.value = wanted
    tier.value = (await duplicates.load(wanted)) ?? tier.peek()
  }
  useEffect(() => {
    void load()
    return () => duplicates.stop()
  }, [])
  // from one photo to the next goes in the order of the page
  useEffect(() => {
    const ids = shown.flatMap(({ photos }) => photos.map(({ photo_id }) => photo_id))
    app.order.value = {
      neighbour: async (id, step) => {
        const at = ids.indexOf(id)
        return at < 0 ? undefined : ids[at + step]
      }
    }
  }, [shown])
  useSignalEffect(() => {
    const id = app.lastShown.value
    if (id === undefined || app.route.value.page === 'photo') return
    app.lastShown.value = undefined
    focusOn(id)
  })
  const withHere = (act: (group: DuplicateGroup) => void) => (): void => {
    const group = review.groupHere()
    if (group !== undefined) act(group)
  }
  const keys: KeyActions<'duplicates'> = {
    copyAfter: () => review.step(1),
    copyBefore: () => review.step(-1),
    groupAfter: () => review.stepGroup(1),
    groupBefore: () => review.stepGroup(-1),
    keepThis: withHere(group => review.keepThis(group, review.photoHere(group))),
    keepAll: withHere(review.keepAll),
    merge: withHere(review.merge),
    noDuplicate: withHere(group => review.notThis(group, review.photoHere(group))),
    undoLast: () => app.toasts.act()
  }
  useKeys('duplicates', keys)
  const acceptedAll = (merges: readonly Merged[], problem: unknown): void => {
    if (merges.length > 0)
      sayUndoable(app, mergedText(merges), async () => {
        await undoMerges(app.api, merges)
        await load('exact')
      })
    if (problem !== undefined) sayWhy(app, problem)
    void load('exact')
  }
  const here = review.groupHere()
  const of = tier.value
  const node = status.value.value
  return (
    <ScrollPage>
      <h1>{t.duplicates}</h1>
      <p class="quiet duplicates-hint">{words.hint}</p>
      <fieldset class="tiers" aria-label={words.tiers}>
        {TIERS.map(name => (
          <button key={name} type="button" class="button" aria-pressed={name === of} onClick={() => void load(name)}>
            {words.tier[name]}
            {counts.value !== undefined && <span class="tier-count">{t.number(counts.value[name].groups)}</span>}
          </button>
        ))}
      </fieldset>
      <p class="quiet">{words.about[of]}</p>
      {of !== 'exact' && node !== undefined && <Coverage node={node} fraction={duplicates.fraction.value} />}
      {of === 'exact' && shown.length > 0 && counts.value !== undefined && (
        <AcceptAll duplicates={duplicates} count={counts.value.exact} onEnd={acceptedAll} />
      )}
      {error.value !== undefined && <Problem error={error.value} onAgain={() => void load(tier.peek())} />}
      {groups.value === undefined && error.value === undefined && <Waiting />}
      {groups.value?.length === 0 && !duplicates.hasMore.value && <p class="empty">{words.none[of]}</p>}
      <ul class="duplicates">
        {shown.map(group => (
          <Group
            key={group.key}
            group={group}
            keep={review.keptOf(group)}
            here={group === here ? review.photoHere(group) : undefined}
            isBusy={review.isBusy.value}
            onHere={photo => review.setHere(group, photo)}
            onKeep={photo => review.keepThis(group, photo)}
            onMerge={() => review.merge(group)}
            onKeepAll={() => review.keepAll(group)}
            onApart={photo => review.notThis(group, photo)}
          />
        ))}
      </ul>
      {duplicates.hasMore.value && (
        <button type="button" class="button" onClick={() => void duplicates.more()}>
          {t.more}
        </button>
      )}
    </ScrollPage>
  )
}

/** Why there may be more than is shown. */
function Coverage({ node, fraction }: { readonly node: Status; readonly fraction: number }): JSX.Element | null {
  if (node.model === null || node.model === undefined) return <p class="note">{words.noModel}</p>
  const pending = node.index?.pending ?? 0
  return (
    <>
      {fraction < 1 && <p class="note">{words.partial(fraction)}</p>}
      {pending > 0 && <p class="quiet">{words.pending(pending)}</p>}
    </>
  )
}
