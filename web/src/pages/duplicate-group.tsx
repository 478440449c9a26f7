import type { JSX } from 'preact'
import { sizeUrl } from '../api/photo-urls.js'
import { Icon } from '../parts/icons.js'
import { formatRoute } from '../router.js'
import { type DuplicateGroup, type DuplicatePhoto, differences, FACTS, type Fact } from '../state/duplicates.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-duplicates.js'

/** Photos of a group that are shown side by side. */
export const SHOWN_MAX = 12

export interface GroupProps {
  readonly group: DuplicateGroup
  /** The photo that stays. */
  readonly keep: string
  /** The photo that keys are about; undefined: none in this group. */
  readonly here: string | undefined
  readonly isBusy: boolean
  readonly onHere: (id: string) => void
  readonly onKeep: (id: string) => void
  readonly onMerge: () => void
  readonly onKeepAll: () => void
  readonly onApart: (id: string) => void
}

/** Photos that look alike, side by side, with what differs. */
export function Group({ group, keep, here, isBusy, ...on }: GroupProps): JSX.Element {
  const { tier, size, score, photos } = group
  const differing = differences(photos)
  // of the same bytes, most is the same
  const facts = tier === 'exact' ? FACTS.filter(fact => fact === 'name' || differing.has(fact)) : FACTS
  const shown = photos.slice(0, SHOWN_MAX)
  const title = words.group[tier](size)
  return (
    <li class={here === undefined ? 'duplicate-group' : 'duplicate-group is-here'}>
      <header class="duplicate-head">
        <h2>{title}</h2>
        {tier !== 'exact' && <span class="quiet">{words.alike(score)}</span>}
        <span class="grow" />
        <button type="button" class="button" disabled={isBusy} onClick={on.onKeepAll}>
          {words.keepAll}
        </button>
        <button type="button" class="button button-strong" disabled={isBusy} onClick={on.onMerge}>
          {words.merge(photos.length - 1)}
        </button>
      </header>
      <ul class="duplicate-photos" aria-label={title}>
        {shown.map(photo => (
          <Copy
            key={photo.photo_id}
            photo={photo}
            facts={facts}
            differing={differing}
            isKept={photo.photo_id === keep}
            isHere={photo.photo_id === here}
            isBusy={isBusy}
            onHere={() => on.onHere(photo.photo_id)}
            onKeep={() => on.onKeep(photo.photo_id)}
            onApart={() => on.onApart(photo.photo_id)}
          />
        ))}
      </ul>
      {size > shown.length && <p class="quiet">{words.moreCopies(size - shown.length)}</p>}
    </li>
  )
}

interface CopyProps {
  readonly photo: DuplicatePhoto
  readonly facts: readonly Fact[]
  readonly differing: ReadonlySet<Fact>
  readonly isKept: boolean
  readonly isHere: boolean
  readonly isBusy: boolean
  readonly onHere: () => void
  readonly onKeep: () => void
  readonly onApart: () => void
}

function Copy({ photo, facts, differing, isKept, isHere, isBusy, onHere, onKeep, onApart }: CopyProps): JSX.Element {
  const { photo_id: id, name, sizes } = photo
  const said = saidOf(photo)
  return (
    <li
      class={`duplicate${isKept ? ' is-kept' : ''}${isHere ? ' is-here' : ''}`}
      data-duplicate={id}
      onFocusCapture={onHere}
    >
      <a class="duplicate-picture" href={formatRoute({ page: 'photo', id })}>
        {sizes.small === 'ready' ? (
          <img src={sizeUrl(id, 'small')} alt={name} loading="lazy" decoding="async" />
        ) : (
          <span class="no-picture">
            <Icon name="file" />
            <span class="visually-hidden">{`${name}, ${t.library.withoutPicture}`}</span>
          </span>
        )}
      </a>
      <div class="duplicate-acts">
        <button
          type="button"
          class="button"
          aria-pressed={isKept}
          aria-label={words.ofPhoto(isKept ? words.kept : words.keepThis, name)}
          onClick={onKeep}
        >
          {isKept && <Icon name="check" />}
          {isKept ? words.kept : words.keepThis}
        </button>
        <button
          type="button"
          class="button button-plain"
          disabled={isBusy}
          aria-label={words.ofPhoto(words.notThis, name)}
          onClick={onApart}
        >
          {words.notThis}
        </button>
      </div>
      <dl class="duplicate-facts">
        {facts.map(fact => {
          const text = textOf(photo, fact)
          if (text === undefined && !differing.has(fact)) return null
          return (
            <div key={fact} class={differing.has(fact) ? 'differs' : undefined}>
              <dt>{words.facts[fact]}</dt>
              <dd>
                {differing.has(fact) && <span class="visually-hidden">{`${words.differs}: `}</span>}
                {text ?? '–'}
              </dd>
            </div>
          )
        })}
        {said !== '' && (
          <div>
            <dt>{words.said}</dt>
            <dd>{said}</dd>
          </div>
        )}
      </dl>
    </li>
  )
}

function textOf(photo: DuplicatePhoto, fact: Fact): string | undefined {
  const { name, taken_at, width, height, size, content_type, created_at, source } = photo
  switch (fact) {
    case 'name':
      return name
    case 'taken':
      return taken_at === null ? t.photo.dateUnknown : t.taken(taken_at)
    case 'pixels':
      return width === null || height === null ? undefined : `${width} × ${height}`
    case 'size':
      return t.size(size)
    case 'type':
      return content_type
    case 'added':
      return t.moment(created_at)
    case 'source':
      return source ?? undefined
  }
}

/** What goes to the photo that stays. */
function saidOf({ albums, tags, rating, caption, favourite, archived, partners }: DuplicatePhoto): string {
  return [
    ...(caption === null || caption === '' ? [] : [`“${caption}”`]),
    ...(rating === null ? [] : [t.photo.stars(rating)]),
    ...(favourite ? [t.photo.favourite] : []),
    ...(archived ? [words.archived] : []),
    ...albums,
    ...tags.map(tag => `#${tag}`),
    ...(partners.length > 0 ? [words.beside(partners.length)] : [])
  ].join(' · ')
}
