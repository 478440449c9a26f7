import { hasCode } from '../../core/errors.js'
import type { CommandSet } from '../shell/command-set.js'
import { count, humanBytes } from '../shell/human.js'
import { inOrder } from '../shell/in-order.js'
import { fileSha256, findFiles, type NamedFile, type UnreadablePath } from '../shell/local-files.js'
import { mergeIntoPhoto } from '../shell/merge-photo.js'
import { ProgressBar } from '../shell/progress.js'
import { type ExitCode, errorJson, noteFailure, printJson, type Session, throwIfOver } from '../shell/session.js'
import { type Receipt, uploadFile } from '../shell/upload-file.js'
import { collect } from './options.js'

const UPLOADS_MAX = 4

const FOLDERS_HELP = `
Folders are walked with all folders in them. Hidden files and folders in them
are skipped, and so is what programs leave there, such as Thumbs.db. Links to
files are followed, links to folders are not. A second run uploads everything
again, as new photos, unless it is given --skip-existing; then photos that are
there get the tags and albums. sheaf import also reads what lies beside photos.`

interface PutOptions {
  readonly tag?: readonly string[]
  readonly album?: readonly string[]
  readonly skipExisting?: true
}

interface Added {
  readonly receipt: Receipt
  /** The bytes were there already. */
  readonly existed: boolean
}

type Outcome = ({ readonly path: string } & Added) | { readonly path: string; readonly error: unknown }

export function addPut(commands: CommandSet): void {
  commands
    .client('put <path...>', 'upload files and whole folders; prints one id per file, in the order of the arguments')
    .option('--tag <tag>', 'add this tag to every photo; may be repeated', collect)
    .option('--album <album>', 'add every photo to this album; may be repeated', collect)
    .option('--skip-existing', 'do not upload bytes that the node has already; prints the id they have there')
    .addHelpText('after', FOLDERS_HELP)
    .action(commands.action(put))
}

async function put(session: Session, paths: readonly string[], options: PutOptions): Promise<ExitCode> {
  const { terminal } = session
  const found = await findFiles(paths, (path, why) => terminal.note(`sheaf: ${path}: skipped, ${why}`))
  const files = found.filter(isReadable)
  const bytesTotal = files.reduce((sum, file) => sum + file.byteCount, 0)
  const progress = new ProgressBar(session, { bytesTotal, filesTotal: files.length })
  const uploads = new Uploads(session, options, progress)
  const tally = { uploaded: 0, bytes: 0, existed: 0, failed: 0 }

  const work = async (item: NamedFile | UnreadablePath): Promise<Outcome> => {
    if (!isReadable(item)) return item
    try {
      const outcome = await uploads.add(item)
      if (outcome.existed) tally.existed++
      else {
        tally.uploaded++
        tally.bytes += item.byteCount
      }
      return { path: item.path, ...outcome }
    } catch (error) {
      throwIfOver(session, error)
      return { path: item.path, error }
    }
  }
  const report = async (outcome: Outcome): Promise<void> => {
    if ('error' in outcome) {
      tally.failed++
      noteFailure(session, outcome.path, outcome.error)
      if (session.json) await printJson(session, { file: outcome.path, error: errorJson(outcome.error) })
    } else if (session.json) {
      await printJson(session, { file: outcome.path, ...outcome.receipt, existed: outcome.existed })
    } else {
      await terminal.print(outcome.receipt.photo_id)
    }
  }
  try {
    await inOrder(found, UPLOADS_MAX, work, report)
  } catch (err) {
    if (hasCode(err, 'ERR_NODE_UNREACHABLE') && tally.uploaded > 0) {
      const uploaded = `${tally.uploaded} of ${count(files.length, 'file')} uploaded`
      terminal.note(`${uploaded}; once the node is back, run it again with --skip-existing`)
    }
    throw err
  }
  progress.finish()
  if (terminal.interactive) {
    const existed = tally.existed === 0 ? '' : `, ${tally.existed} already there`
    const failed = tally.failed === 0 ? '' : `, ${tally.failed} failed`
    terminal.note(`${count(tally.uploaded, 'file')} uploaded (${humanBytes(tally.bytes)})${existed}${failed}`)
  }
  return tally.failed === 0 ? 0 : 1
}

function isReadable(item: NamedFile | UnreadablePath): item is NamedFile {
  return !('error' in item)
}

/** Sends files; with `--skip-existing`, not those whose bytes are on the node, or on their way to it, already. */
class Uploads {
  readonly #session: Session
  readonly #options: PutOptions
  readonly #progress: ProgressBar
  /** By sha256: the upload of the first file with these bytes. */
  readonly #begun = new Map<string, Promise<Added>>()

  constructor(session: Session, options: PutOptions, progress: ProgressBar) {
    this.#session = session
    this.#options = options
    this.#progress = progress
  }

  /** @throws what kept the file from being stored */
  async add(file: NamedFile): Promise<Added> {
    let sent = 0
    const onSent = (byteCount: number): void => {
      sent += byteCount
      this.#progress.addBytes(byteCount)
    }
    try {
      if (this.#options.skipExisting !== true) return { receipt: await this.#send(file, onSent), existed: false }
      return await this.#addUnlessThere(file, onSent)
    } finally {
      this.#progress.endFile(file.byteCount - sent)
    }
  }

  async #addUnlessThere(file: NamedFile, onSent: (byteCount: number) => void): Promise<Added> {
    const sha256 = await fileSha256(file)
    for (let twin = this.#begun.get(sha256); twin !== undefined; twin = this.#begun.get(sha256)) {
      const receipt = await twin.then(
        added => added.receipt,
        () => undefined
      )
      if (receipt !== undefined) return this.#label(receipt)
      // The twin's own failure is reported with the twin and says nothing about this file.
      if (this.#begun.get(sha256) === twin) this.#begun.delete(sha256)
    }
    const added = this.#findOrSend(file, sha256, onSent)
    this.#begun.set(sha256, added)
    return added
  }

  async #findOrSend(file: NamedFile, sha256: string, onSent: (byteCount: number) => void): Promise<Added> {
    const { photos } = await this.#session.client.json<{ photos: Receipt[] }>('/photos', {
      query: { sha256, limit: 1 }
    })
    const receipt = photos.find(photo => photo.sha256 === sha256)
    return receipt === undefined ? { receipt: await this.#send(file, onSent), existed: false } : this.#label(receipt)
  }

  /** What is there gets the labels that it lacks. */
  async #label(receipt: Receipt): Promise<Added> {
    const { tag: tags, album: albums } = this.#options
    await mergeIntoPhoto(this.#session, receipt.photo_id, { tags, albums })
    return { receipt, existed: true }
  }

  #send(file: NamedFile, onSent: (byteCount: number) => void): Promise<Receipt> {
    const { tag, album } = this.#options
    return uploadFile(this.#session, file, { file_time: file.mtimeMs, tag, album }, { onSent })
  }
}
