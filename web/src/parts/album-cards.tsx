import type { JSX } from 'preact'
import type { Album } from '../api/client.js'
import { sizeUrl } from '../api/photo-urls.js'
import { formatRoute, type Route } from '../router.js'
import { t } from '../texts/en.js'
import { Icon } from './icons.js'
import './album-cards.css'

/** Albums by their covers. */
export function AlbumCards({ albums }: { readonly albums: readonly Album[] }): JSX.Element {
  return (
    <ul class="albums">
      {albums.map(album => (
        <li key={album.album_id ?? `label ${album.name}`}>
          <AlbumCard album={album} />
        </li>
      ))}
    </ul>
  )
}

function AlbumCard({ album }: { readonly album: Album }): JSX.Element {
  const { album_id, name, count, cover } = album
  const content = (
    <>
      <span class="cover">
        {cover === null ? <Icon name="albums" /> : <img src={sizeUrl(cover, 'small')} alt="" loading="lazy" />}
      </span>
      <strong>{name}</strong>
      <span class="quiet">{t.photos(count)}</span>
    </>
  )
  const route: Route = album_id === null ? { page: 'label', name } : { page: 'album', id: album_id }
  return (
    <a class="album-card" href={formatRoute(route)}>
      {content}
    </a>
  )
}
