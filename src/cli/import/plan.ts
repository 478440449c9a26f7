import { open } from 'node:fs/promises'
import { lookup } from 'mime-types'
import { readSheafSidecar, type SheafSidecar, SIDECAR_BYTES_MAX } from '../shell/sheaf-sidecar.js'
import type { ImportedFile } from './import-report.js'
import { labelOf, readTakeoutJson, type TakeoutSidecar } from './takeout.js'
import { type NameSet, takeoutSidecarOf } from './takeout-names.js'
import type { FoundFile, PassedOver } from './walk.js'

export const IMPORT_KINDS = ['auto', 'sheaf', 'takeout', 'folder'] as const
export type ImportKind = (typeof IMPORT_KINDS)[number]

/** A file that says something of others. */
export interface SidecarFile {
  readonly file: FoundFile
  isUsed: boolean
}

/** A file that is to be imported, and what lies beside it. */
export interface PlannedPhoto {
  readonly file: FoundFile
  /** Of these bytes only if its digest is theirs. */
  readonly sheaf: (SidecarFile & { readonly said: SheafSidecar }) | undefined
  readonly takeout: (SidecarFile & { readonly said: TakeoutSidecar }) | undefined
  /** The name of the original, of an edited copy. */
  readonly editedOf: string | undefined
  readonly xmp: SidecarFile | undefined
  readonly albums: readonly string[]
}

export interface ImportPlan {
  readonly photos: readonly PlannedPhoto[]
  readonly sidecars: readonly SidecarFile[]
  /** What is no photo. */
  readonly others: readonly ImportedFile[]
}

export interface PlanInit {
  readonly kind: ImportKind
  /** The folder that a file lies in is its album. */
  readonly isFolderAlbum: boolean
}

/** What `mime-types` has no type for. */
const MEDIA_EXTENSION =
  /\.(3fr|arw|cr2|cr3|crw|dng|erf|heic|heif|hif|avif|jxl|insp|insv|kdc|mef|mos|mp|mrw|mv|nef|nrw|orf|pef|raf|raw|rw2|rwl|sr2|srf|srw|x3f)$/i
const JSON_NAME = /\.json$/i
const XMP_NAME = /\.xmp$/i

/** Files of one folder, of all roots that have it: archives are split anywhere. */
class Folder {
  readonly media: FoundFile[] = []
  readonly sheaf = new Map<string, SidecarFile & { readonly said: SheafSidecar }>()
  readonly takeout = new Map<string, SidecarFile & { readonly said: TakeoutSidecar }>()
  readonly xmp = new Map<string, SidecarFile>()
  albumTitle: string | undefined
}

/** Finds out what each file is, and which sidecar belongs to which photo, before anything is sent. */
export async function planImport(
  found: AsyncIterable<FoundFile | PassedOver>,
  { kind, isFolderAlbum }: PlanInit
): Promise<ImportPlan> {
  const folders = new Map<string, Folder>()
  const sidecars: SidecarFile[] = []
  const others: ImportedFile[] = []

  const noteSidecar = <Said extends object>(file: FoundFile, said: Said): SidecarFile & Said => {
    const sidecar = { file, isUsed: false, ...said }
    sidecars.push(sidecar)
    return sidecar
  }
  const take = async (file: FoundFile, folder: Folder): Promise<void> => {
    const { name, shown } = file
    if (XMP_NAME.test(name) && kind !== 'sheaf') folder.xmp.set(name.slice(0, -4).toLowerCase(), noteSidecar(file, {}))
    else if (!JSON_NAME.test(name)) {
      if (isMedia(name)) folder.media.push(file)
      else others.push({ shown, outcome: 'no_media', file })
    } else {
      const value = kind === 'folder' ? undefined : await readJson(file)
      const said = kind === 'takeout' ? undefined : readSheafSidecar(value)
      const takeout = kind === 'sheaf' ? undefined : readTakeoutJson(value)
      if (said !== undefined) folder.sheaf.set(name.slice(0, -5), noteSidecar(file, { said }))
      else if (takeout === undefined) others.push({ shown, outcome: 'no_media', file })
      else if ('photo' in takeout) folder.takeout.set(name, noteSidecar(file, { said: takeout.photo }))
      else {
        folder.albumTitle = takeout.albumTitle
        noteSidecar(file, {}).isUsed = true
      }
    }
  }
  for await (const file of found) {
    if (!('path' in file)) {
      const { shown, rule, error } = file
      others.push(rule === undefined ? { shown, outcome: 'unreadable', error } : { shown, outcome: 'ignored', rule })
      continue
    }
    const folder = folders.get(file.folder) ?? new Folder()
    folders.set(file.folder, folder)
    try {
      await take(file, folder)
    } catch (error) {
      others.push({ shown: file.shown, outcome: 'unreadable', error, file })
    }
  }
  takeMediaWithSidecars(folders, others)
  const photos = [...folders.values()].flatMap(folder =>
    folder.media.map(file => planPhoto(file, folder, isFolderAlbum))
  )
  return { photos: withFarAlbums(photos, folders), sidecars, others }
}

function isMedia(name: string): boolean {
  const type = lookup(name)
  return MEDIA_EXTENSION.test(name) || (type !== false && /^(image|video)\//.test(type))
}

/** Sheaf keeps files of any type. */
function takeMediaWithSidecars(folders: ReadonlyMap<string, Folder>, others: ImportedFile[]): void {
  for (const [i, { outcome, file }] of [...others.entries()].reverse()) {
    const folder = outcome === 'no_media' && file !== undefined ? folders.get(file.folder) : undefined
    if (file === undefined || folder?.sheaf.has(file.name) !== true) continue
    folder.media.push(file)
    others.splice(i, 1)
  }
}

function planPhoto(file: FoundFile, folder: Folder, isFolderAlbum: boolean): PlannedPhoto {
  const match = takeoutSidecarOf(file.name, new KeySet(folder.takeout))
  const folderName = labelOf(file.source.split('/').at(-1) ?? '')
  const album = folder.albumTitle ?? (isFolderAlbum && folderName !== '' ? folderName : undefined)
  const name = file.name.toLowerCase()
  return {
    file,
    sheaf: folder.sheaf.get(file.name),
    takeout: match && folder.takeout.get(match.sidecar),
    editedOf: match?.editedOf,
    xmp: folder.xmp.get(name) ?? folder.xmp.get(name.replace(/\.[^.]*$/, '')),
    albums: album === undefined ? [] : [album]
  }
}

/** Folders of albums may hold only the sidecars: then the photos lie in those of the years. */
function withFarAlbums(photos: readonly PlannedPhoto[], folders: ReadonlyMap<string, Folder>): PlannedPhoto[] {
  const near = new Set(photos.map(({ takeout }) => takeout))
  const albums = new Map<string, string[]>()
  for (const { albumTitle, takeout } of folders.values()) {
    if (albumTitle === undefined) continue
    for (const sidecar of takeout.values()) {
      if (near.has(sidecar)) continue
      const key = keyOf(sidecar.said)
      albums.set(key, [...(albums.get(key) ?? []), albumTitle])
    }
  }
  if (albums.size === 0) return [...photos]
  const placed = new Set<string>()
  const all = photos.map(photo => {
    const key = photo.takeout && keyOf(photo.takeout.said)
    const far = key === undefined ? undefined : albums.get(key)
    if (key === undefined || far === undefined) return photo
    placed.add(key)
    return { ...photo, albums: [...new Set([...photo.albums, ...far])] }
  })
  for (const { takeout } of folders.values())
    for (const sidecar of takeout.values())
      if (!near.has(sidecar) && placed.has(keyOf(sidecar.said))) sidecar.isUsed = true
  return all
}

function keyOf({ title, takenMs }: TakeoutSidecar): string {
  return `${title}\0${takenMs}`
}

/** The keys of a map, as a set that is not copied for each photo. */
class KeySet implements NameSet {
  readonly #map: ReadonlyMap<string, unknown>

  constructor(map: ReadonlyMap<string, unknown>) {
    this.#map = map
  }

  has(key: string): boolean {
    return this.#map.has(key)
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#map.keys()
  }
}

/** @returns undefined for what is no JSON, or too long to be a sidecar */
async function readJson(file: FoundFile): Promise<unknown> {
  const bytes = await readStart(file, SIDECAR_BYTES_MAX)
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined // somebody else's
  }
}

/** @returns all of a file; undefined when it is longer than `bytesMax` */
export async function readStart({ path, state }: FoundFile, bytesMax: number): Promise<Buffer | undefined> {
  if (state.byteCount > bytesMax) return undefined
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(state.byteCount), 0, state.byteCount, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}
