import { extension } from 'mime-types'
import { cleanedName, fileName, fileStem } from '../../domain/file-name.js'
import { parsePhotoId } from '../../domain/ids.js'
import type { ExportLayout, LayoutPart, LayoutToken } from './export-layout.js'

/** The parts of a photo's metadata that decide where it is exported to. */
export interface Exported {
  readonly photo_id: string
  readonly name: string
  readonly content_type: string
  readonly created_at: string
  readonly taken_at?: string | null
  readonly tags?: readonly string[]
  readonly albums?: readonly string[]
  readonly camera?: { readonly make?: string | null; readonly model?: string | null } | null
}

/** The beginning of a time, as far as it is known. */
const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):.*)?)?)?$/
const DATE_TOKENS: ReadonlySet<LayoutToken> = new Set(['year', 'month', 'day', 'hour'])

/**
 * Where a photo may lie under the export folder, best first: `2026/11/20/IMG_1.jpg`, then with the tail of its id (the
 * random part of a UUID), then with all of it. Times are those where the picture was taken, where that is known.
 *
 * @returns relative paths with `/`, safe on every file system whatever the node says of the photo
 * @throws for an id that is no UUID
 */
export function exportPaths(photo: Exported, layout: ExportLayout): readonly [string, string, string] {
  if (parsePhotoId(photo.photo_id) === undefined)
    throw new Error('the node gave an id that is no UUID; do not trust it')
  const values = tokenValues(photo)
  const folders = layout.folders.map(part => folderName(part, values)).filter(folder => folder !== undefined)
  const whole = fill(layout.file, values)
  const { ext } = values
  const isLast = ext !== '' && whole.endsWith(ext)
  const stem = fileStem(isLast ? whole.slice(0, -ext.length) : whole)
  const suffix = isLast ? ext : ''
  const path = (end: string): string => [...folders, `${stem}${end}${suffix}`].join('/')
  return [path(''), path(`_${photo.photo_id.slice(-6)}`), path(`_${photo.photo_id}`)]
}

/** Each cleaned; empty: not known. */
function tokenValues(photo: Exported): Readonly<Record<LayoutToken, string>> {
  const { taken_at, created_at, camera, content_type, photo_id } = photo
  const [, year = '', month = '', day = '', hour = ''] = DATE.exec(taken_at ?? created_at) ?? []
  const { stem, suffix } = fileName(photo.name, extension(content_type))
  const kind = content_type.split('/', 1)[0] ?? ''
  return {
    year,
    month,
    day,
    hour,
    camera: cleanedName([camera?.make, camera?.model].filter(text => text != null).join(' ')),
    album: cleanedName(photo.albums?.[0] ?? ''),
    tag: cleanedName(photo.tags?.[0] ?? ''),
    kind: kind === 'image' || kind === 'video' ? kind : 'other',
    name: `${stem}${suffix}`,
    stem,
    ext: suffix,
    id6: photo_id.slice(-6)
  }
}

/**
 * @returns the folder's name; undefined where a date is known only so far that there is nothing to name it by
 */
function folderName(part: LayoutPart, values: Readonly<Record<LayoutToken, string>>): string | undefined {
  const tokens = part.flatMap(piece => (typeof piece === 'object' ? [piece.token] : []))
  const isUnknown = tokens.length > 0 && tokens.every(token => values[token] === '')
  if (!isUnknown) return fileStem(fill(part, values))
  if (tokens.includes('year')) return 'undated'
  return tokens.every(token => DATE_TOKENS.has(token)) ? undefined : 'none'
}

function fill(part: LayoutPart, values: Readonly<Record<LayoutToken, string>>): string {
  return part.map(piece => (typeof piece === 'object' ? values[piece.token] : piece)).join('')
}
