import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Dialog } from '../parts/dialog.js'
import { LINKED_PHOTOS_MAX } from '../state/links.js'
import { words } from '../texts/en-links.js'
import { LinkAddress, NewLink } from './new-link.js'

export interface LinkPhotosProps {
  /** How many are chosen. */
  readonly count: number
  /** @throws {@link ApiError} */
  readonly ids: () => Promise<string[]>
  readonly onClose: () => void
}

/** Makes a link to photos that are chosen. */
export function LinkPhotos({ count, ids, onClose }: LinkPhotosProps): JSX.Element {
  const address = useSignal<string | undefined>(undefined)
  return (
    <Dialog title={words.ofPhotos(count)} onClose={onClose}>
      {address.value !== undefined ? (
        <LinkAddress address={address.value} onClose={onClose} />
      ) : count > LINKED_PHOTOS_MAX ? (
        <p>{words.tooMany(LINKED_PHOTOS_MAX)}</p>
      ) : (
        <NewLink
          isOfAlbum={false}
          isFirst
          linked={async () => ({ photos: await ids() })}
          onMade={made => {
            address.value = made
          }}
        />
      )}
    </Dialog>
  )
}
