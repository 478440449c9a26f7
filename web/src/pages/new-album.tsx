import type { JSX } from 'preact'
import { Dialog } from '../parts/dialog.js'
import { NameForm } from '../parts/name-form.js'
import { useTold } from '../parts/told.js'
import { useApp } from '../state/app.js'
import { t } from '../texts/en.js'
import { words } from '../texts/en-albums.js'

/** Makes an album, and shows it. @param parent - the album that it is to stand in */
export function NewAlbum({
  parent,
  onClose
}: {
  readonly parent?: string | undefined
  readonly onClose: () => void
}): JSX.Element {
  const app = useApp()
  const told = useTold()
  const create = async (title: string): Promise<void> => {
    onClose()
    await told(async () => {
      const { album_id, name } = await app.api.post('/v1/albums', { title, ...(parent !== undefined && { parent }) })
      if (album_id !== null) app.go({ page: 'album', id: album_id })
      return words.created(name)
    })
  }
  return (
    <Dialog title={parent === undefined ? words.create : words.createIn} onClose={onClose}>
      <NameForm label={words.title} action={t.selection.create} known={[]} onName={title => void create(title)} />
    </Dialog>
  )
}
