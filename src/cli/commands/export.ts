import type { Stats } from 'node:fs'
import { readFile, stat, utimes } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { hasCode, SheafError, systemErrorCode } from '../../core/errors.js'
import { nodeFileSystem } from '../../core/node-file-system.js'
import type { CommandSet } from '../shell/command-set.js'
import { DEFAULT_LAYOUT, type ExportLayout, parseLayout } from '../shell/export-layout.js'
import { exportPaths } from '../shell/export-names.js'
import { count, humanBytes } from '../shell/human.js'
import { inOrder } from '../shell/in-order.js'
import { fileSha256, writeFileWhole } from '../shell/local-files.js'
import { NodeClient } from '../shell/node-client.js'
import { photoPath } from '../shell/photo-path.js'
import { type ExitCode, errorJson, noteFailure, printJson, type Session, throwIfOver } from '../shell/session.js'
import { sidecarBytes } from '../shell/sheaf-sidecar.js'
import { xmpBytes } from '../shell/xmp-packet.js'
import { openPhoto } from './get.js'
import { addFilterOptions, type PhotoFilter, type PhotoMetaJson, photoPages } from './photo-meta.js'

const DOWNLOADS_MAX = 4
/** File systems keep times as finely as this, and floats of nanoseconds no finer. */
const TIME_TOLERANCE_MS = 1

type Outcome =
  | { readonly photo: PhotoMetaJson; readonly path: string; readonly written: boolean }
  | { readonly photo: PhotoMetaJson; readonly gone: true }
  | { readonly photo: PhotoMetaJson; readonly error: unknown }

/** A data folder that is being read. */
export interface OpenedFolder {
  /** Where its photos can be had over HTTP. */
  readonly url: URL
  close(): Promise<void>
}

/**
 * Opens a data folder whose node is stopped, without any network. Reading one needs all of a node, so `main.ts` brings it
 * along.
 *
 * @throws `ERR_DATA_LOCKED`; `ERR_USAGE` for what is no data folder; what the start of a node throws
 */
export type OpenFolder = (folder: string) => Promise<OpenedFolder>

interface ExportOptions extends PhotoFilter {
  readonly node?: string
  readonly fromFolder?: string
  readonly layout?: string
  readonly xmp?: true
}

const TIMES_HELP = `
Each file gets the time that it had when it was uploaded, else that of when the
picture was taken. The .json beside it holds what sheaf import needs to put the
photo into another cluster: name, caption, rating, tags, albums, attributes and
times. A layout may have the tokens {year} {month} {day} {hour} (of when it was
taken, local time), {camera} {album} {tag} {kind} {name} {stem} {ext} {id6}.`

export function addExport(commands: CommandSet, openFolder: OpenFolder): void {
  const command = commands.client(
    'export <dir>',
    'write originals to folders by day, each with its metadata in a .json file beside it; run it again to continue'
  )
  addFilterOptions(command)
    .option('--layout <path>', `where under DIR each file is to lie (default: ${DEFAULT_LAYOUT})`)
    .option('--xmp', 'write .xmp files as well, which other programs read')
    .addHelpText('after', TIMES_HELP)
    .option('--from-folder <data>', 'read the data folder of a node that is stopped, without any network')
    .action(
      commands.action((session, folder: string, options: ExportOptions) => run(session, folder, options, openFolder))
    )
}

async function run(
  session: Session,
  folder: string,
  options: ExportOptions,
  openFolder: OpenFolder
): Promise<ExitCode> {
  const { node, fromFolder } = options
  parseLayout(options.layout ?? DEFAULT_LAYOUT) // before a folder is opened or anything is written
  if (fromFolder === undefined) return exportPhotos(session, folder, options)
  if (node !== undefined) throw new SheafError('ERR_USAGE', '--node and --from-folder cannot be given together')
  const opened = await openFolder(fromFolder)
  const client = new NodeClient(session, { url: opened.url, signal: session.signal })
  try {
    return await exportPhotos({ ...session, client }, folder, options)
  } finally {
    client.close()
    await opened.close()
  }
}

/** Yields what lists leave out. Nodes of before know of no partners. */
async function* partsOf({ client }: Session, { partners = [] }: PhotoMetaJson): AsyncGenerator<PhotoMetaJson> {
  for (const id of partners) {
    const meta = await client.json<PhotoMetaJson>(`/photo/${id}/meta`).catch(goneOnly)
    if (meta !== undefined) yield meta
  }
}

function goneOnly(error: unknown): undefined {
  if (!isGone(error)) throw error
}

function isGone(error: unknown): boolean {
  return hasCode(error, 'ERR_PHOTO_DELETED') || hasCode(error, 'ERR_PHOTO_NOT_FOUND')
}

async function exportPhotos(session: Session, folder: string, filter: ExportOptions): Promise<ExitCode> {
  const { terminal } = session
  const layout = parseLayout(filter.layout ?? DEFAULT_LAYOUT)
  const exporter = new Exporter(session, { folder, layout, isXmpWanted: filter.xmp === true })
  const tally = { written: 0, bytes: 0, present: 0, failed: 0, unread: 0, seen: 0, total: 0, isTotalExact: true }
  const photos = async function* (): AsyncGenerator<PhotoMetaJson> {
    for await (const page of photoPages(session, filter)) {
      tally.total = page.total
      tally.isTotalExact = page.isTotalExact
      for (const photo of page.photos) {
        yield photo
        yield* partsOf(session, photo)
      }
    }
  }
  const work = async (photo: PhotoMetaJson): Promise<Outcome> => {
    try {
      return { photo, ...(await exporter.export(photo)) }
    } catch (error) {
      throwIfOver(session, error)
      return isGone(error) ? { photo, gone: true } : { photo, error }
    }
  }
  await inOrder(photos(), DOWNLOADS_MAX, work, async outcome => {
    tally.seen++
    const all = `${tally.isTotalExact ? '' : 'at least '}${count(tally.total, 'photo')}`
    terminal.live(`${tally.seen} of ${all}  ${humanBytes(tally.bytes)} written`)
    const { photo } = outcome
    if ('gone' in outcome) return terminal.note(`sheaf: ${photo.photo_id}: was deleted in the meantime`)
    if ('error' in outcome) {
      tally.failed++
      noteFailure(session, `${photo.photo_id} (${photo.name})`, outcome.error)
      if (session.json) await printJson(session, { photo_id: photo.photo_id, error: errorJson(outcome.error) })
      return
    }
    if (outcome.written) {
      tally.written++
      tally.bytes += photo.size
    } else tally.present++
    const { path, written } = outcome
    if (written && isUnread(photo)) tally.unread++
    if (session.json) await printJson(session, { photo_id: photo.photo_id, path, written })
    else if (written) await terminal.print(path)
  })
  terminal.live('')
  if (terminal.interactive) {
    const failed = tally.failed === 0 ? '' : `, ${tally.failed} failed`
    terminal.note(
      `${count(tally.written, 'photo')} written (${humanBytes(tally.bytes)}), ${tally.present} already there${failed}`
    )
  }
  if (tally.unread > 0)
    terminal.note(
      `sheaf: ${count(tally.unread, 'photo')} came so lately that no node has read when they were taken: they lie ` +
        'where the times of their files say'
    )
  return tally.failed === 0 ? 0 : 1
}

/** Whether no node has read the head of the file yet. Of a picture, its size stands there, whatever else does. */
function isUnread({ state, width }: PhotoMetaJson): boolean {
  return state === 'pending' && width == null
}

interface ExporterInit {
  readonly folder: string
  readonly layout: ExportLayout
  readonly isXmpWanted: boolean
}

/**
 * Gives every photo a file of its own, the same one in every run: a file belongs to the photo that its sidecar names.
 * The sidecar is written last, so a file that has one is complete.
 */
class Exporter {
  readonly #session: Session
  readonly #init: ExporterInit
  /** Paths that photos being written will have; in lower case, since some file systems ignore case. */
  readonly #claims = new Set<string>()

  constructor(session: Session, init: ExporterInit) {
    this.#session = session
    this.#init = init
  }

  /** @returns the file's path, and whether its bytes had to be written */
  async export(listed: PhotoMetaJson): Promise<{ path: string; written: boolean }> {
    const { folder, layout } = this.#init
    const photo = this.#needsAll ? await this.#readAll(listed) : listed
    const candidates = exportPaths(photo, layout).map(path => pathInside(folder, path))
    for (const path of candidates) {
      if ((await placeState(path, photo)) === 'own') return { path, written: await this.#update(path, photo) }
    }
    for (const path of candidates) {
      const names = [path, sidecarOf(path)].map(name => name.toLowerCase())
      if (names.some(name => this.#claims.has(name))) continue
      for (const name of names) this.#claims.add(name)
      try {
        const usable = ['orphan', 'free'].includes(await placeState(path, photo))
        if (usable) return { path, written: await this.#update(path, photo) }
      } finally {
        for (const name of names) this.#claims.delete(name)
      }
    }
    throw new Error(`other files have its names, move them away and run again: ${candidates.join(', ')}`)
  }

  /** Lists leave out the camera. */
  get #needsAll(): boolean {
    return this.#init.layout.tokens.has('camera')
  }

  #readAll({ photo_id }: PhotoMetaJson): Promise<PhotoMetaJson> {
    return this.#session.client.json<PhotoMetaJson>(photoPath(photo_id, '/meta'))
  }

  /** Writes what is missing or out of date. @returns whether that was the photo itself */
  async #update(path: string, photo: PhotoMetaJson): Promise<boolean> {
    const missing = (await statIfThere(path)) === undefined
    if (missing) {
      await nodeFileSystem.makeDirectory(dirname(path))
      const { pieces, check } = await openPhoto(this.#session, photo.photo_id)
      await writeFileWhole(this.#session, path, pieces, check)
    } else if (!(await isCopyOf(path, photo))) {
      throw new Error(`${path} is no longer what was exported; move it away and run again`)
    }
    await this.#writeChanged(sidecarOf(path), sidecarBytes(photo))
    const xmp = `${path}.xmp`
    // a photo may have this name, and then has a sidecar
    const isFree = this.#init.isXmpWanted && (await statIfThere(sidecarOf(xmp))) === undefined
    if (isFree) await this.#writeChanged(xmp, xmpBytes(photo))
    await setTime(path, photo)
    return missing
  }

  async #writeChanged(path: string, bytes: Uint8Array): Promise<void> {
    const present = await readIfThere(path)
    if (present === undefined || Buffer.compare(bytes, present) !== 0)
      await writeFileWhole(this.#session, path, [bytes])
  }
}

/** Gives a file its time, where one is known. */
async function setTime(path: string, { file_time, taken_at }: PhotoMetaJson): Promise<void> {
  const at = file_time == null ? localTime(taken_at ?? '') : new Date(file_time)
  if (Number.isNaN(at.getTime())) return
  const { mtimeMs } = await stat(path)
  // as a Date: of a negative number `utimes` makes the present
  if (Math.abs(mtimeMs - at.getTime()) > TIME_TOLERANCE_MS) await utimes(path, at, at)
}

/** @param text - as `taken_at`; without an offset it is taken for this machine's time, and without a time for noon */
function localTime(text: string): Date {
  const [, year, month = '01', day = '01', time = 'T12:00'] = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(T.+)?)?)?$/.exec(text) ?? []
  return new Date(year === undefined ? Number.NaN : Date.parse(`${year}-${month}-${day}${time}`))
}

/** Names come from the node. @throws for a path that leads out of the folder */
function pathInside(folder: string, path: string): string {
  const joined = join(folder, path)
  if (!resolve(joined).startsWith(join(resolve(folder), sep))) throw new Error(`${path} leads out of ${folder}`)
  return joined
}

function sidecarOf(path: string): string {
  return `${path}.json`
}

/** What lies at a path. `orphan`: the photo's bytes without a sidecar, as an interrupted run leaves them. */
async function placeState(path: string, photo: PhotoMetaJson): Promise<'own' | 'orphan' | 'free' | 'taken'> {
  const sidecar = await readIfThere(sidecarOf(path))
  if (sidecar !== undefined) return sidecarId(sidecar) === photo.photo_id ? 'own' : 'taken'
  if ((await statIfThere(path)) === undefined) return 'free'
  return (await isCopyOf(path, photo)) ? 'orphan' : 'taken'
}

function sidecarId(sidecar: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(sidecar).toString('utf8'))
    return typeof value === 'object' && value !== null && 'photo_id' in value ? value.photo_id : undefined
  } catch {
    return undefined // not a sidecar of ours
  }
}

async function isCopyOf(path: string, photo: PhotoMetaJson): Promise<boolean> {
  const present = await statIfThere(path)
  if (present === undefined || !present.isFile() || present.size !== photo.size) return false
  return (await fileSha256({ path, name: basename(path), byteCount: present.size })) === photo.sha256
}

function statIfThere(path: string): Promise<Stats | undefined> {
  return stat(path).catch(undefinedIfMissing)
}

function readIfThere(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch(undefinedIfMissing)
}

function undefinedIfMissing(err: unknown): undefined {
  if (systemErrorCode(err) !== 'ENOENT') throw err
  return undefined
}
