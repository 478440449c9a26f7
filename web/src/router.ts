/** What the page shows. Paths of the address itself belong to the interface, so routes are behind the `#`. */
export type Route =
  | { readonly page: 'photos' }
  | { readonly page: 'photo'; readonly id: string }
  | { readonly page: 'search'; readonly q: string }
  /** All photos with these words, to be looked through and selected. */
  | { readonly page: 'found'; readonly q: string }
  | { readonly page: 'albums' }
  | { readonly page: 'album'; readonly id: string }
  | { readonly page: 'tag'; readonly name: string }
  /** An album that is nothing but a label of photos. */
  | { readonly page: 'label'; readonly name: string }
  /** A day, month or year, `1985-07`. */
  | { readonly page: 'time'; readonly name: string }
  | { readonly page: 'similar'; readonly id: string }
  | { readonly page: 'duplicates' }
  | { readonly page: 'favourites' }
  | { readonly page: 'archive' }
  | { readonly page: 'trash' }
  | { readonly page: 'cluster' }
  /** What a link is of, by the id that lists it; empty: none that is open. Its secret is no part of it. */
  | { readonly page: 'link'; readonly id: string }
  /** One's own. */
  | { readonly page: 'account' }
  | { readonly page: 'accounts' }

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @param hash - with the `#` or without @returns the photos for what is no route */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  const [page = '', rest = ''] = path.split('/', 2)
  const argument = decoded(rest)
  switch (page) {
    case 'photo':
      return UUID.test(argument) ? { page, id: argument } : { page: 'photos' }
    case 'album':
    case 'similar':
      return UUID.test(argument) ? { page, id: argument } : { page: 'photos' }
    case 's':
      return { page: 'link', id: UUID.test(argument) ? argument : '' }
    case 'tag':
    case 'label':
    case 'time':
      return argument === '' ? { page: 'photos' } : { page, name: argument }
    case 'search':
    case 'found':
      return { page, q: new URLSearchParams(query).get('q') ?? '' }
    case 'albums':
    case 'duplicates':
    case 'favourites':
    case 'archive':
    case 'trash':
    case 'cluster':
    case 'account':
    case 'accounts':
      return { page }
    default:
      return { page: 'photos' }
  }
}

/** @returns with the `#` */
export function formatRoute(route: Route): string {
  switch (route.page) {
    case 'photos':
      return '#/'
    case 'photo':
    case 'album':
    case 'similar':
      return `#/${route.page}/${route.id}`
    case 'link':
      return `#/s/${route.id}`
    case 'tag':
    case 'label':
    case 'time':
      return `#/${route.page}/${encodeURIComponent(route.name)}`
    case 'search':
    case 'found':
      return route.q === '' ? `#/${route.page}` : `#/${route.page}?${new URLSearchParams({ q: route.q })}`
    case 'albums':
    case 'duplicates':
    case 'favourites':
    case 'archive':
    case 'trash':
    case 'cluster':
    case 'account':
    case 'accounts':
      return `#/${route.page}`
  }
}

/** @param hash - with the `#` @returns the secret of a link that it is the address of */
export function secretIn(hash: string): string | undefined {
  return /^#\/s\/([\w-]{32})$/.exec(hash)?.[1]
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
