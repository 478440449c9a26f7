import { parseAlbumId } from '../../domain/ids.js'
import { ALBUM_CAPTION_CHARACTERS_MAX } from '../../domain/limits.js'
import { badField, checkLabels } from '../photo-rules.js'

/*
 * What a client may say of an album. A title is a label, so that whoever names the album by it, e.g. an import, may.
 */

/** @returns the title as labels are written. @throws `ERR_BAD_PARAMETER` */
export function checkTitle(title: string): string {
  const [label = ''] = checkLabels('title', [title])
  if (parseAlbumId(label) !== undefined)
    throw badField('title', 'a title must not be a UUID, since albums are named by id, too')
  return label
}

/** @throws `ERR_BAD_PARAMETER` */
export function checkAlbumCaption(caption: string | null | undefined): void {
  if (caption && [...caption].length > ALBUM_CAPTION_CHARACTERS_MAX)
    throw badField('caption', `the caption of an album may have at most ${ALBUM_CAPTION_CHARACTERS_MAX} characters`)
}
