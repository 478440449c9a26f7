import type { Album } from '../api/client.js'

/** An album that others can stand in. */
export interface PlacedAlbum {
  readonly id: string
  /** Its title, after those of the albums that it stands in. */
  readonly path: string
}

/** No album stands deeper; a list that changes while it is read may show a circle. */
const DEPTH_MAX = 16

/** @returns where an album can be put: not into itself, nor into what stands in it; in the order of their paths */
export function placesFor(id: string, albums: readonly Album[]): readonly PlacedAlbum[] {
  const byId = new Map(albums.map(album => [album.album_id, album]))
  const above = ({ parent }: Album): Album | undefined => (parent === null ? undefined : byId.get(parent))
  const lineOf = (album: Album): readonly Album[] => {
    const line = [album]
    for (let at = above(album); at !== undefined && line.length <= DEPTH_MAX; at = above(at)) line.unshift(at)
    return line
  }
  return albums
    .flatMap((album): PlacedAlbum[] => {
      const line = lineOf(album)
      if (album.album_id === null || line.some(({ album_id }) => album_id === id)) return []
      return [{ id: album.album_id, path: line.map(({ name }) => name).join(' / ') }]
    })
    .sort((a, b) => a.path.localeCompare(b.path))
}
