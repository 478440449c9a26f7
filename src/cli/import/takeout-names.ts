/*
 * Which sidecar of Google Takeout belongs to a photo. Only this way round can it be told:
 *
 *   sidecar = title + '.supplemental-metadata', cut to 46 characters, then the number of a namesake, then '.json'
 *
 * so the word may be cut down to nothing, and then the title is. `IMG(1).jpg` has `IMG.jpg.supplemental-metadata(1).json`. Exports of before
 * had no such word. A title may have had no extension; an edited copy has the sidecar of its original, the film in a picture that
 * of the picture.
 */

const WORD = 'supplemental-metadata'
/** Names are cut there, in code points; differently in different years. */
const CUT_LENGTHS = [46, 45, 47]
/** A beginning as long as this is believed if it is the only one. */
const PREFIX_LENGTH_MIN = 44

/** What the editor appends, by language. */
const EDITED = [
  'edited',
  'bearbeitet',
  'modifié',
  'modifie',
  'editado',
  'editada',
  'modificato',
  'bewerkt',
  'edytowane',
  'redigeret',
  'redigerad',
  'redigert',
  'muokattu',
  'upraveno',
  'upravené',
  'szerkesztett',
  'düzenlendi',
  'editat',
  'изменено',
  'отредактировано',
  'edytowany',
  '編集済み',
  '已修改',
  '已編輯',
  '편집됨'
]
const FILMS = /\.(mp4|mov|mp|mv)$/i
const STILLS = ['.HEIC', '.heic', '.JPG', '.jpg', '.JPEG', '.jpeg', '.PNG', '.png', '.MP.jpg', '.MV.jpg', '.MP.JPG']

/** Names that can be looked up, and gone through. */
export interface NameSet extends Iterable<string> {
  has(name: string): boolean
}

export interface TakeoutMatch {
  /** Name of the sidecar. */
  readonly sidecar: string
  /** The original of which this is an edited copy. */
  readonly editedOf?: string
}

/**
 * @param name - of the photo or film, NFC
 * @param sidecars - names of the JSON files of its folder, NFC
 */
export function takeoutSidecarOf(name: string, sidecars: NameSet): TakeoutMatch | undefined {
  const own = directSidecar(name, sidecars)
  if (own !== undefined) return { sidecar: own }
  const original = originalOf(name)
  if (original !== undefined) {
    const sidecar = directSidecar(original, sidecars)
    if (sidecar !== undefined) return { sidecar, editedOf: original }
  }
  if (FILMS.test(name)) {
    const { stem, number } = parted(name)
    const stills = [`${name}.jpg`, ...STILLS.map(extension => `${stem}${number}${extension}`)]
    for (const still of stills) {
      const sidecar = directSidecar(still, sidecars)
      if (sidecar !== undefined) return { sidecar }
    }
  }
  const prefix = onlyPrefix(name, sidecars)
  return prefix === undefined ? undefined : { sidecar: prefix }
}

/** @returns the sidecar of a title */
function directSidecar(name: string, sidecars: NameSet): string | undefined {
  const { stem, number, extension } = parted(name)
  const titles: [title: string, number: string][] = [[name, '']]
  if (number !== '') titles.unshift([`${stem}${extension}`, number])
  for (const [title, n] of titles) {
    for (const candidate of candidatesOf(title, n)) if (sidecars.has(candidate)) return candidate
  }
  // the title had no extension, or only its last letter was lost
  const bare = `${stem}${number}.json`
  if (sidecars.has(bare)) return bare
  const shorter = stem.endsWith('_P') ? `${stem.slice(0, -1)}${number}.json` : bare
  return sidecars.has(shorter) ? shorter : undefined
}

function* candidatesOf(title: string, number: string): Generator<string> {
  for (let length = WORD.length; length > 0; length--) yield `${title}.${WORD.slice(0, length)}${number}.json`
  yield `${title}.${number}.json`
  yield `${title}${number}.json`
  const characters = [...title]
  for (const length of CUT_LENGTHS)
    if (characters.length > length) yield `${characters.slice(0, length).join('')}${number}.json`
}

function parted(name: string): { readonly stem: string; readonly number: string; readonly extension: string } {
  const [, base = name, extension = ''] = /^(.+?)(\.[^.]{1,10})?$/s.exec(name) ?? []
  const [, stem = base, number = ''] = /^(.+)(\(\d{1,4}\))$/s.exec(base) ?? []
  return { stem, number, extension }
}

/** @returns the name of the original, if this is the name of an edited copy */
function originalOf(name: string): string | undefined {
  const { stem, number, extension } = parted(name)
  const dash = stem.lastIndexOf('-')
  const word = stem.slice(dash + 1).toLowerCase()
  if (dash < 1 || word === '') return undefined
  // the word is cut where the name is too long
  const isLong = [...name].length >= PREFIX_LENGTH_MIN
  const isEdited = EDITED.some(one => one === word || (isLong && one.startsWith(word)))
  return isEdited ? `${stem.slice(0, dash)}${number}${extension}` : undefined
}

function onlyPrefix(name: string, sidecars: NameSet): string | undefined {
  if ([...name].length < PREFIX_LENGTH_MIN) return undefined
  const { number } = parted(name)
  const fitting = [...sidecars].filter(sidecar => {
    const title = sidecar.slice(0, -'.json'.length)
    const other = parted(title)
    return [...other.stem].length >= PREFIX_LENGTH_MIN && other.number === number && name.startsWith(other.stem)
  })
  return fitting.length === 1 ? fitting[0] : undefined
}
