import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { AlbumCards } from '../parts/album-cards.js'
import { Icon } from '../parts/icons.js'
import { useLoaded } from '../parts/loaded.js'
import { useMayEdit, useWrites } from '../parts/lost-bar.js'
import { NameLinks } from '../parts/name-links.js'
import { Problem } from '../parts/problem.js'
import { ScrollPage } from '../parts/scroll-page.js'
import { formatRoute } from '../router.js'
import { useApp } from '../state/app.js'
import { firstTags } from '../state/names.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-albums.js'
import { NewAlbum } from './new-album.js'
import './albums-page.css'

/** As many more are shown each time. */
const TAGS = 100

/** All albums that stand in none, with their covers, and all tags. */
export function AlbumsPage(): JSX.Element {
  const app = useApp()
  const albums = useLoaded('top albums', signal => app.api.get('/v1/albums', { query: { parent: 'none' }, signal }), {
    follows: true
  })
  const isAsking = useSignal(false)
  const writes = useWrites()
  const mayEdit = useMayEdit()
  const limit = useSignal(TAGS)
  const tags = useLoaded('tags', signal => firstTags(app.api, limit.peek(), signal), { follows: true })
  const all = albums.value.value?.albums
  const { tags: shown = [], hasMore = false } = tags.value.value ?? {}
  return (
    <ScrollPage>
      <div class="page-head">
        <h1>{t.albums}</h1>
        {mayEdit && (
          <button
            type="button"
            class="button"
            {...writes}
            onClick={() => {
              isAsking.value = true
            }}
          >
            <Icon name="add" />
            {words.create}
          </button>
        )}
      </div>
      {albums.error.value !== undefined && <Problem error={albums.error.value} onAgain={albums.load} />}
      <div class="shelf">
        <a class="button" href={formatRoute({ page: 'favourites' })}>
          <Icon name="heart" />
          {t.favourites}
        </a>
        <a class="button" href={formatRoute({ page: 'archive' })}>
          <Icon name="archive" />
          {t.archive}
        </a>
      </div>
      {all?.length === 0 && <p class="empty">{words.empty}</p>}
      {all !== undefined && <AlbumCards albums={all} />}
      {shown.length > 0 && (
        <section aria-label={t.tags}>
          <h2>{t.tags}</h2>
          <NameLinks names={shown.map(({ name, count }) => ({ route: { page: 'tag', name }, name, count }))} />
          {hasMore && (
            <button
              type="button"
              class="button"
              onClick={() => {
                limit.value += TAGS
                tags.load()
              }}
            >
              {t.more}
            </button>
          )}
        </section>
      )}
      {isAsking.value && (
        <NewAlbum
          onClose={() => {
            isAsking.value = false
          }}
        />
      )}
    </ScrollPage>
  )
}
