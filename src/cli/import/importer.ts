import { hasCode, SheafError } from '../../core/errors.js'
import { oneAhead } from '../../core/one-ahead.js'
import { placeText } from '../../domain/place-text.js'
import { inOrder } from '../shell/in-order.js'
import { type LocalFile, type ReadFile, readAndHash } from '../shell/local-files.js'
import { mergeIntoPhoto } from '../shell/merge-photo.js'
import { jsonBody, type NodeRequest } from '../shell/node-client.js'
import { ProgressBar } from '../shell/progress.js'
import { type Session, throwIfOver } from '../shell/session.js'
import { uploadFile } from '../shell/upload-file.js'
import type { HashedFile, HashJournal } from './hash-journal.js'
import { FAILURES, type ImportedFile, type ImportReport } from './import-report.js'
import { KeptFiles } from './kept-files.js'
import { type KnownFields, knownFieldsOf } from './known-fields.js'
import type { PlannedPhoto } from './plan.js'
import { type FileState, isSameState, readState } from './walk.js'

/** More than few, so that those share syncs of the disk that wait for them. */
const UPLOADS_MAX = 6
const HASHES_MAX = 2
/** Files hashed, and then asked for at once; a node takes up to 1,000. */
const BATCH_FILES = 250
/** Small files that stay in memory from being hashed until they are sent. */
const KEPT_BYTES_MAX = 32 * 2 ** 20
/** How often a file is read again that changes meanwhile. */
const READS_MAX = 3
/** What is said in the address of a request must leave room for the rest of its 16 KiB. */
const QUERY_LENGTH_MAX = 8_000

export interface ImporterComponents {
  readonly session: Session
  readonly report: ImportReport
  /** Undefined: nothing is kept. */
  readonly journal: HashJournal | undefined
}

export interface ImporterInit {
  /** Of clocks that do not say theirs. */
  readonly zone: string
  /** Nothing is sent. */
  readonly isDry: boolean
  readonly includeTrashed: boolean
}

interface KnownPhoto {
  readonly photo_id: string
  readonly state: string
}

/** A file with its digest, or what became of it. */
type Hashed = { readonly photo: PlannedPhoto } & (
  | { readonly hashed: HashedFile }
  | { readonly settled: Pick<ImportedFile, 'outcome' | 'error'> }
)

interface Batch {
  readonly batch: readonly Hashed[]
  /** By digest. */
  readonly known: Readonly<Record<string, KnownPhoto>>
}

/** Brings photos to a node, each once: what is there already is told more, but never overwritten. */
export class Importer {
  readonly #components: ImporterComponents
  readonly #init: ImporterInit
  /** By digest: the first file with these bytes, in this run. The id is undefined in a dry run. */
  readonly #begun = new Map<string, Promise<string | undefined>>()
  readonly #kept = new KeptFiles(KEPT_BYTES_MAX)

  constructor(components: ImporterComponents, init: ImporterInit) {
    this.#components = components
    this.#init = init
  }

  /** @returns what failed, and may be tried again. @throws `ERR_NODE_UNREACHABLE`, the reason of an interrupt; what befalls single files is reported */
  async import(photos: readonly PlannedPhoto[]): Promise<readonly PlannedPhoto[]> {
    const bytesTotal = photos.reduce((sum, { file }) => sum + file.state.byteCount, 0)
    const failed: PlannedPhoto[] = []
    const progress = new ProgressBar(this.#components.session, { bytesTotal, filesTotal: photos.length })
    try {
      for await (const { batch, known } of oneAhead(this.#batches(photos))) {
        await inOrder(
          batch,
          UPLOADS_MAX,
          async item => ({ item, settled: await this.#settle(item, known, progress) }),
          async ({ item, settled }) => {
            if (FAILURES.has(settled.outcome)) failed.push(item.photo)
            await this.#components.report.add(settled)
          }
        )
      }
    } finally {
      this.#kept.clear()
    }
    progress.finish()
    return failed
  }

  /** Files with their digests, and which of them the node has: the next ones are read while those before are sent. */
  async *#batches(photos: readonly PlannedPhoto[]): AsyncGenerator<Batch> {
    for (let at = 0; at < photos.length; at += BATCH_FILES) {
      const batch: Hashed[] = []
      await inOrder(
        photos.slice(at, at + BATCH_FILES),
        HASHES_MAX,
        photo => this.#hash(photo),
        async hashed => {
          batch.push(hashed)
        }
      )
      await this.#note(batch)
      yield { batch, known: await this.#ask(batch) }
    }
  }

  async #hash(photo: PlannedPhoto): Promise<Hashed> {
    const { session, journal } = this.#components
    session.signal.throwIfAborted()
    const { path, state, name } = photo.file
    if (photo.takeout?.said.isTrashed === true && !this.#init.includeTrashed) {
      photo.takeout.isUsed = true
      return { photo, settled: { outcome: 'trashed' } }
    }
    if (state.byteCount === 0) return { photo, settled: { outcome: 'empty' } }
    const known = journal?.get(path, state)
    if (known !== undefined) return { photo, hashed: { path, state, sha256: known } }
    try {
      const hashed = await hashUnchanged({ path, name, state })
      if (hashed === undefined) return { photo, settled: { outcome: 'changed' } }
      const { bytes, ...digest } = hashed
      if (bytes !== undefined && !this.#init.isDry) this.#kept.keep(path, bytes)
      return { photo, hashed: digest }
    } catch (error) {
      return { photo, settled: { outcome: 'unreadable', error } }
    }
  }

  async #note(batch: readonly Hashed[]): Promise<void> {
    const { journal, session } = this.#components
    if (journal === undefined || this.#init.isDry) return
    const read = batch.flatMap(one => ('hashed' in one && !isNoted(journal, one.hashed) ? [one.hashed] : []))
    await journal.add(read).catch((err: unknown) => {
      session.terminal.note(`sheaf: what was read cannot be noted for the next run (${err})`)
    })
  }

  async #ask(batch: readonly Hashed[]): Promise<Readonly<Record<string, KnownPhoto>>> {
    const sha256 = [...new Set(batch.flatMap(one => ('hashed' in one ? [one.hashed.sha256] : [])))]
    if (sha256.length === 0) return {}
    const answer = await this.#components.session.client.json<{ sha256: Record<string, KnownPhoto> }>(
      '/v1/photos/exists',
      { method: 'POST', ...jsonBody({ sha256 }) }
    )
    return answer.sha256
  }

  async #settle(
    item: Hashed,
    known: Readonly<Record<string, KnownPhoto>>,
    progress: ProgressBar
  ): Promise<ImportedFile> {
    const { session } = this.#components
    const { file } = item.photo
    const { shown } = file
    let sent = 0
    const onSent = (byteCount: number): void => {
      sent += byteCount
      progress.addBytes(byteCount)
    }
    try {
      if ('settled' in item) return { shown, file, ...item.settled }
      return { shown, file, ...(await this.#bring(item.photo, item.hashed, known, onSent)) }
    } catch (error) {
      throwIfOver(session, error)
      return { shown, file, outcome: 'failed', error }
    } finally {
      this.#kept.drop(file.path)
      progress.endFile(file.state.byteCount - sent)
    }
  }

  async #bring(
    photo: PlannedPhoto,
    { sha256, state }: HashedFile,
    known: Readonly<Record<string, KnownPhoto>>,
    onSent: (byteCount: number) => void
  ): Promise<Pick<ImportedFile, 'outcome' | 'photoId'>> {
    const { session } = this.#components
    const { isDry, includeTrashed, zone } = this.#init
    const fields = await knownFieldsOf(photo, sha256, { zone, nowMs: session.clock.now() })
    for (let twin = this.#begun.get(sha256); twin !== undefined; twin = this.#begun.get(sha256)) {
      const settled = await twin.then(
        id => ({ id }),
        () => undefined
      )
      if (settled !== undefined) return this.#merge(settled.id, fields)
      // The twin's own failure is reported with the twin and says nothing about this file.
      if (this.#begun.get(sha256) === twin) this.#begun.delete(sha256)
    }
    const there = known[sha256]
    if (there?.state === 'live') return this.#merge(there.photo_id, fields)
    if (there !== undefined && !includeTrashed) return { outcome: 'trashed', photoId: there.photo_id }
    const sending = isDry ? Promise.resolve(undefined) : this.#upload(photo, { sha256, state }, fields, onSent)
    this.#begun.set(sha256, sending)
    const photoId = await sending
    return { outcome: 'uploaded', photoId }
  }

  /** @param id - undefined in a dry run, of what would be uploaded */
  async #merge(id: string | undefined, fields: KnownFields): Promise<Pick<ImportedFile, 'outcome' | 'photoId'>> {
    if (id === undefined) return { outcome: 'present' }
    const isNew = await mergeIntoPhoto(this.#components.session, id, fields, { isDry: this.#init.isDry })
    return { outcome: isNew ? 'merged' : 'present', photoId: id }
  }

  /** @throws as `uploadFile`; `ERR_DIGEST_MISMATCH` when the file changes again and again */
  async #upload(
    { file }: PlannedPhoto,
    first: Pick<HashedFile, 'sha256' | 'state'>,
    fields: KnownFields,
    onSent: (byteCount: number) => void
  ): Promise<string> {
    const { session } = this.#components
    const { path, name } = file
    const { query, isWhole } = queryOf(fields)
    let { sha256, state } = first
    let bytes = this.#kept.get(path)
    for (let reads = 1; ; reads++) {
      try {
        if (bytes !== undefined) await requireUnchanged(path, state)
        const sent = { path, name, byteCount: state.byteCount }
        const { photo_id: id } = await uploadFile(session, sent, query, { sha256, bytes, onSent })
        await mergeIntoPhoto(session, id, isWhole ? { attributes: fields.attributes } : fields)
        return id
      } catch (err) {
        // nothing is stored of bytes that are not those of the digest
        if (!hasCode(err, 'ERR_DIGEST_MISMATCH') || reads === READS_MAX) throw err
        const again = await hashUnchanged({ path, name, state: await readState(path) })
        if (again === undefined) throw err
        ;({ sha256, state, bytes } = again)
      }
    }
  }
}

/** @returns what an upload says of the photo, and whether that is all but attributes; of long texts nothing is said there */
function queryOf(fields: KnownFields): {
  readonly query: NonNullable<NodeRequest['query']>
  readonly isWhole: boolean
} {
  const {
    name,
    fileTimeMs,
    source,
    zone,
    importedFrom,
    takenAt,
    place,
    caption,
    rating,
    tags,
    albums,
    favourite,
    archived
  } = fields
  const where = place && placeText(place)
  const times = { file_time: fileTimeMs, zone, taken_at: takenAt }
  const file = { filename: name, ...times, source, imported_from: importedFrom, place: where }
  const words = { caption, rating, favourite, archived, tag: tags, album: albums }
  const isWhole = encodeURIComponent(JSON.stringify([file, words])).length <= QUERY_LENGTH_MAX
  return { query: isWhole ? { ...file, ...words } : file, isWhole }
}

/** @throws `ERR_DIGEST_MISMATCH`, system errors */
async function requireUnchanged(path: Buffer, state: FileState): Promise<void> {
  if (!isSameState(state, await readState(path)))
    throw new SheafError('ERR_DIGEST_MISMATCH', 'the file has changed since it was read; try again')
}

/** @returns undefined when the file changes again and again while it is read. @throws system errors */
async function hashUnchanged(
  file: Pick<LocalFile, 'name'> & { readonly path: Buffer; readonly state: FileState }
): Promise<(HashedFile & ReadFile) | undefined> {
  const { path, name } = file
  let { state } = file
  for (let reads = 0; reads < READS_MAX; reads++) {
    const read = await readAndHash({ path, name, byteCount: state.byteCount }).catch(async (err: unknown) => {
      // shorter than it was: read again; what is wrong otherwise stays so
      if (isSameState(state, await readState(path))) throw err
      return undefined
    })
    const after = await readState(path)
    if (read !== undefined && isSameState(state, after)) return { path, state, ...read }
    state = after
  }
  return undefined
}

function isNoted(journal: HashJournal, { path, state }: HashedFile): boolean {
  return journal.get(path, state) !== undefined
}
