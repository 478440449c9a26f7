import type { FastifyRequest } from 'fastify'
import { ALL_SEEING, type Viewer } from '../../photos/viewers/viewer.js'
import type { Asker } from '../wire/principals.js'
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
  { principal, links }: Pick<Asker, 'principal' | 'links'>
): Viewer {
  if (accounts?.isRequired !== true) return ALL_SEEING
  return viewers.of(personOf(principal), principal.kind === 'link' ? principal.links : links)
}

/** @returns the library that is open to whoever sends the request: routes read and change photos in no other way */
export function seenLibrary(
  components: Pick<HttpComponents, 'photos' | 'lists' | 'albums' | 'similarity' | 'accounts' | 'viewers'>,
  { asker }: Pick<FastifyRequest, 'asker'>
): SeenLibrary {
  const viewer = viewerOf(components, asker)
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
