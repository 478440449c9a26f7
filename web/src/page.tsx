import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { PhotosPage } from './pages/photos-page.js'
import { lazy } from './parts/lazy.js'
import { Shell } from './parts/shell.js'
import { Waiting } from './parts/waiting.js'
import { formatRoute, type Route } from './router.js'
import { useApp } from './state/app.js'
import { t } from './texts/en.js'

const Lightbox = lazy(async () => (await import('./parts/lightbox.js')).Lightbox)
const SearchPage = lazy(async () => (await import('./pages/search-page.js')).SearchPage)
const SimilarPage = lazy(async () => (await import('./pages/search-page.js')).SimilarPage)
const AlbumsPage = lazy(async () => (await import('./pages/albums-page.js')).AlbumsPage)
const AlbumPage = lazy(async () => (await import('./pages/album-page.js')).AlbumPage)
const DuplicatesPage = lazy(async () => (await import('./pages/duplicates-page.js')).DuplicatesPage)
const TrashPage = lazy(async () => (await import('./pages/trash-page.js')).TrashPage)
const ClusterPage = lazy(async () => (await import('./pages/cluster-page.js')).ClusterPage)
const AccountPage = lazy(async () => (await import('./pages/account-page.js')).AccountPage)
const AccountsPage = lazy(async () => (await import('./pages/accounts-page.js')).AccountsPage)
const LoginPage = lazy(async () => (await import('./pages/login-page.js')).LoginPage)
const LinkPage = lazy(async () => (await import('./pages/link-page.js')).LinkPage)
const LinkedPhotos = lazy(async () => (await import('./pages/link-page.js')).LinkedPhotos)
const KeyList = lazy(async () => (await import('./parts/key-list.js')).KeyList)

/** The whole page; what somebody who was logged in has before him stays below the form that asks who it is. */
export function Page(): JSX.Element {
  const { session, secret, base } = useApp()
  const access = session.access.value
  const hasBeenIn = useRef(false)
  if (access === 'in') hasBeenIn.current = true
  return (
    <>
      {hasBeenIn.current && <Inside />}
      {access === 'asking' && <Waiting />}
      {access !== 'asking' &&
        (secret.value !== undefined || (access === 'out' && base.value.page === 'link') ? (
          <LinkPage key={secret.value} secret={secret.value} />
        ) : (
          access === 'out' && <LoginPage />
        ))}
    </>
  )
}

function Inside(): JSX.Element {
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

/** What pages are of no use without. */
const NEEDS: Readonly<Partial<Record<Route['page'], string>>> = {
  duplicates: 'delete',
  trash: 'delete',
  cluster: 'watch',
  account: 'account',
  accounts: 'accounts'
}

function BasePage({ route }: { readonly route: Route }): JSX.Element {
  const { can, isGuest } = useApp().session
  if (route.page === 'link' && route.id !== '') return <LinkedPhotos id={route.id} />
  // all that links have opened
  if (isGuest.value) return <LinkedPhotos id="" />
  const need = NEEDS[route.page]
  // empty: not known yet
  if (need !== undefined && can.value.size > 0 && !can.value.has(need)) return <p class="empty">{t.mayNot}</p>
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
    case 'account':
      return <AccountPage />
    case 'accounts':
      return <AccountsPage />
    case 'photos':
    case 'photo':
    case 'link':
      return <PhotosPage filters={{}} />
  }
}
