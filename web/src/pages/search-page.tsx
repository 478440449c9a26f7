import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { sizeUrl } from '../api/photo-urls.js'
import { type Loaded, useLoaded } from '../parts/loaded.js'
import { NameLinks, type NameLinksProps } from '../parts/name-links.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { Waiting } from '../parts/waiting.js'
import { formatRoute } from '../router.js'
import { type PhotoOrder, useApp } from '../state/app.js'
import { requireModel } from '../state/model.js'
import { namesWith } from '../state/names.js'
import { typedDate } from '../state/typed-facts.js'
import { t } from '../texts/en.js'
import { alikeCount } from './alike.js'
import './search-page.css'

const RESULTS_MAX = 36
const SHOWN = 24
const WORDS_MAX = 60

interface Scored {
  readonly id: string
  readonly score: number | undefined
}
interface Results {
  readonly photos: readonly Scored[]
  /** How much of the index was searched, 0 to 1. */
  readonly fraction: number
  /** How many there are in all; undefined: at least these. */
  readonly total?: number | undefined
  /** So many, the first ones, show what was asked for; default: all. */
  readonly alike?: number
}

/** What words find: in names, captions and places, and in the pictures. */
export function SearchPage({ q }: { readonly q: string }): JSX.Element {
  const app = useApp()
  const words = useLoaded(`words ${q}`, async signal => {
    if (q === '') return { photos: [], fraction: 1 }
    const query = { q, limit: WORDS_MAX, sort: 'taken' }
    const { photos, total, total_exact } = await app.api.get('/photos', { query, signal })
    const found = photos.map(({ photo_id }) => ({ id: photo_id, score: undefined }))
    return { photos: found, fraction: 1, total: total_exact ? total : undefined }
  })
  const content = useLoaded(`content ${q}`, async signal => {
    if (q === '') return { photos: [], fraction: 1 }
    await requireModel(app, signal)
    const { results, coverage, model } = await app.api.get('/search', { query: { q, k: RESULTS_MAX }, signal })
    const scores = results.map(({ score }) => score)
    return {
      photos: results.map(({ photo_id, score }) => ({ id: photo_id, score })),
      fraction: coverage.fraction,
      alike: alikeCount(scores, model)
    }
  })
  const names = useLoaded(`names ${q}`, signal => namesWith(app.api, q, signal))
  const inWords = useShown(words, { isWhole: true })
  const inContent = useShown(content)
  useOrder([...inWords.photos, ...inContent.photos])
  if (q === '')
    return (
      <ScrollPage>
        <h1>{t.search}</h1>
        <p class="empty">{t.searchPage.prompt}</p>
      </ScrollPage>
    )
  const { albums = [], tags = [] } = names.value.value ?? {}
  const isNoName = names.value.value !== undefined && albums.length + tags.length === 0
  const isEmpty = isNoName && words.value.value?.photos.length === 0
  const time = /[:T]/.test(q) ? undefined : typedDate(q.trim())
  return (
    <ScrollPage>
      <h1>{`“${q}”`}</h1>
      {time !== undefined && (
        <a class="button" href={formatRoute({ page: 'time', name: time })}>
          {t.searchPage.allOf(t.taken(time))}
        </a>
      )}
      <Names
        title={t.albums}
        names={albums.map(({ album_id: id, name, count }) => ({
          route: id === null ? { page: 'label', name } : { page: 'album', id },
          name,
          count
        }))}
      />
      <Names title={t.tags} names={tags.map(({ name, count }) => ({ route: { page: 'tag', name }, name, count }))} />
      {isEmpty && <p class="none-found">{t.searchPage.noWords(q)}</p>}
      <ResultList title={t.searchPage.words} results={words} shown={inWords} all={formatRoute({ page: 'found', q })} />
      <ResultList title={t.searchPage.content} results={content} shown={inContent} none={t.searchPage.noneAlike(q)} />
    </ScrollPage>
  )
}

interface NamesProps extends NameLinksProps {
  readonly title: string
}

function Names({ title, names }: NamesProps): JSX.Element | null {
  if (names.length === 0) return null
  return (
    <section class="results" aria-label={title}>
      <h2>{title}</h2>
      <NameLinks names={names} />
    </section>
  )
}

/** What looks like a photo. */
export function SimilarPage({ id }: { readonly id: string }): JSX.Element {
  const app = useApp()
  const results = useLoaded(`similar ${id}`, async signal => {
    await requireModel(app, signal)
    const answer = await app.api.get('/similar/{id}', { params: { id }, query: { k: RESULTS_MAX }, signal })
    return {
      photos: answer.results.map(({ photo_id, distance }) => ({ id: photo_id, score: distance })),
      fraction: answer.coverage.fraction
    }
  })
  const shown = useShown(results)
  useOrder(shown.photos)
  return (
    <ScrollPage>
      <div class="page-head">
        <a class="reference" href={formatRoute({ page: 'photo', id })}>
          <img src={sizeUrl(id, 'thumb')} alt={t.photo.dialog} />
        </a>
        <h1>{t.searchPage.similarTo}</h1>
      </div>
      <ResultList title={undefined} results={results} shown={shown} />
    </ScrollPage>
  )
}

/** Of what was found, what is shown. */
interface Shown {
  readonly photos: readonly Scored[]
  /** So many show what was asked for. */
  readonly alike: number
  /** So many are shown when more are asked for; undefined: these are all. */
  readonly next: number | undefined
  readonly more: () => void
}

/** @param isWhole - all are shown at once */
function useShown({ value }: Loaded<Results>, { isWhole = false }: { readonly isWhole?: boolean } = {}): Shown {
  const presses = useSignal(0)
  const { photos = [], alike = photos.length } = value.value ?? {}
  const first = isWhole ? photos.length : Math.min(SHOWN, alike)
  /** How many are shown, after so many presses of the button. */
  const steps = [first, alike, photos.length].filter((count, i, counts) => i === 0 || count > (counts[i - 1] ?? 0))
  return {
    photos: photos.slice(0, steps[presses.value]),
    alike,
    next: steps[presses.value + 1],
    more: () => {
      presses.value++
    }
  }
}

/** From one photo to the next goes in this order; the one that was shown last is focused again when it is closed. */
function useOrder(photos: readonly Scored[]): void {
  const app = useApp()
  // by words and by what is to be seen, the same one may be found
  const ids = [...new Set(photos.map(({ id }) => id))]
  useEffect(() => {
    const order: PhotoOrder = {
      neighbour: async (id, step) => {
        const at = ids.indexOf(id)
        return at < 0 ? undefined : ids[at + step]
      }
    }
    app.order.value = order
  }, [ids.join()])
  const isClosed = app.route.value.page !== 'photo'
  useEffect(() => {
    const id = app.lastShown.peek()
    if (!isClosed || id === undefined) return
    app.lastShown.value = undefined
    document.querySelector<HTMLElement>(`.grid a[href="${formatRoute({ page: 'photo', id })}"]`)?.focus()
  }, [isClosed])
}

function ResultList(props: {
  readonly title: string | undefined
  readonly results: Loaded<Results>
  readonly shown: Shown
  /** Where all of them are to be seen and selected. */
  readonly all?: string
  /** Said when none of them shows what was asked for. */
  readonly none?: string
}): JSX.Element | null {
  const { title, results, shown, all, none } = props
  const { value, error, load } = results
  const { photos, alike, next, more } = shown
  if (error.value === undefined && value.value?.photos.length === 0) return null
  return (
    <section class="results" aria-label={title}>
      {title !== undefined && (
        <div class="results-head">
          <h2>{title}</h2>
          {all !== undefined && value.value !== undefined && (
            <a class="button" href={all}>
              {t.searchPage.all(value.value.total)}
            </a>
          )}
        </div>
      )}
      {error.value !== undefined && <Problem error={error.value} onAgain={load} />}
      {value.value === undefined && error.value === undefined && <Waiting />}
      {value.value !== undefined && value.value.fraction < 1 && (
        <p class="quiet">{t.searchPage.partial(value.value.fraction)}</p>
      )}
      {value.value !== undefined && photos.length === 0 && <p class="none-found">{none}</p>}
      <ul class="grid">
        {photos.map(({ id, score }) => (
          <li key={id}>
            <a href={formatRoute({ page: 'photo', id })} title={score === undefined ? '' : t.searchPage.score(score)}>
              <img src={sizeUrl(id, 'small')} alt={t.photo.dialog} loading="lazy" decoding="async" />
            </a>
          </li>
        ))}
      </ul>
      {next !== undefined && (
        <button type="button" class="button" onClick={more}>
          {next > alike ? t.searchPage.lessAlike(next - photos.length) : t.more}
        </button>
      )}
    </section>
  )
}
