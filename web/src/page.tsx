import type { JSX } from 'preact'
import { PhotosPage } from './pages/photos-page.js'
import { lazy } from './parts/lazy.js'
import { Shell } from './parts/shell.js'
import { formatRoute, type Route } from './router.js'
import { useApp } from './state/app.js'
import { t } from './texts/en.js'

const Lightbox = lazy(async () => (await import('./parts/lightbox.js')).Lightbox)
const SearchPage = lazy(async () => (await import('./pages/search-page.js')).SearchPage)
const SimilarPage = lazy(async () => (await import('./pages/search-page.js')).SimilarPage)
const AlbumsPage = lazy(async () => (await import('./pages/albums-page.js')).AlbumsPage)
const AlbumPage = lazy(async () => (await import('./pages/albums-page.js')).AlbumPage)
const DuplicatesPage = lazy(async () => (await import('./pages/duplicates-page.js')).DuplicatesPage)
const TrashPage = lazy(async () => (await import('./pages/trash-page.js')).TrashPage)
const ClusterPage = lazy(async () => (await import('./pages/cluster-page.js')).ClusterPage)
const KeyList = lazy(async () => (await import('./parts/key-list.js')).KeyList)

/** The whole page. */
export function Page(): JSX.Element {
  const app = useApp()
  const route = app.route.value
  const base = app.base.value
  return (
    <>
      <Shell>
        <BasePage key={formatRoute(base)} route={base} />
      </Shell>
      {route.page === 'photo' && <Lightbox id={route.id} />}
      {app.dialog.value === 'keys' && (
        <KeyList
          onClose={() => {
            app.dialog.value = undefined
          }}
        />
      )}
    </>
  )
}

function BasePage({ route }: { readonly route: Route }): JSX.Element {
  switch (route.page) {
    case 'search':
      return <SearchPage q={route.q} />
    case 'found':
      return <PhotosPage title={`“${route.q}”`} filters={{ q: route.q }} empty={t.searchPage.none(route.q)} />
    case 'similar':
      return <SimilarPage id={route.id} />
    case 'albums':
      return <AlbumsPage />
    case 'album':
      return <AlbumPage id={route.id} />
    case 'tag':
      return <PhotosPage title={route.name} filters={{ tag: route.name }} empty={t.library.emptyTag} />
    case 'label':
      return <PhotosPage title={route.name} filters={{ album: route.name }} empty={t.library.emptyTag} />
    case 'time': {
      const time = t.taken(route.name)
      return <PhotosPage title={time} filters={{ from: route.name, to: route.name }} empty={t.searchPage.none(time)} />
    }
    case 'duplicates':
      return <DuplicatesPage />
    case 'favourites':
      return <PhotosPage title={t.favourites} filters={{ favourite: 'true' }} empty={t.noFavourites} />
    case 'archive':
      return <PhotosPage title={t.archive} filters={{ archived: 'true' }} empty={t.noArchive} />
    case 'trash':
      return <TrashPage />
    case 'cluster':
      return <ClusterPage />
    case 'photos':
    case 'photo':
      return <PhotosPage filters={{}} />
  }
}
