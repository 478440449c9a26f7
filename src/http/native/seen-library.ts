import type { FastifyRequest } from 'fastify'
import type { Principal } from '../../domain/principal.js'
import { ALL_SEEING, type Viewer } from '../../photos/viewers/viewer.js'
import type { HttpComponents } from './components.js'
import { personOf } from './who-asks.js'

/** Photos, albums and what is found in them, as far as somebody sees them and may change them. */
export interface SeenLibrary {
  readonly viewer: Viewer
  readonly photos: ReturnType<HttpComponents['photos']['as']>
  readonly lists: ReturnType<HttpComponents['lists']['as']>
  readonly albums: ReturnType<HttpComponents['albums']['as']>
  /** Absent where photos are not analyzed. */
  readonly search: ReturnType<Similarity['search']['as']> | undefined
  readonly duplicates: ReturnType<Similarity['duplicates']['as']> | undefined
}

type Similarity = NonNullable<HttpComponents['similarity']>

/** While no account is needed, everybody sees everything. */
export function viewerOf(
  { accounts, viewers }: Pick<HttpComponents, 'accounts' | 'viewers'>,
  principal: Principal
): Viewer {
  return accounts?.isRequired === true ? viewers.of(personOf(principal)) : ALL_SEEING
}

/** @returns the library that is open to whoever sends the request: routes read and change photos in no other way */
export function seenLibrary(
  components: Pick<HttpComponents, 'photos' | 'lists' | 'albums' | 'similarity' | 'accounts' | 'viewers'>,
  { asker }: Pick<FastifyRequest, 'asker'>
): SeenLibrary {
  const viewer = viewerOf(components, asker.principal)
  const { photos, lists, albums, similarity } = components
  return {
    viewer,
    photos: photos.as(viewer),
    lists: lists.as(viewer),
    albums: albums.as(viewer),
    search: similarity?.search.as(viewer),
    duplicates: similarity?.duplicates.as(viewer)
  }
}
