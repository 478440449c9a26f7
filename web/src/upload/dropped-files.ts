import type { UploadFile } from './queue.js'

/** A file that the browser has handed over. */
export interface PickedFile extends UploadFile {
  readonly blob: File
  /** Album that it is put into; undefined: none. */
  readonly album?: string
}

const FILES_MAX = 100_000
/** Names of folders that programs make beside photos. */
const JUNK_FOLDER = /^(?:\..*|@eaDir|__MACOSX)$/

/** @param files - of a file picker; of one that picks folders they have their paths */
export function pickedFiles(files: Iterable<File>): PickedFile[] {
  return Array.from(files, file => {
    const folders = file.webkitRelativePath.split('/').slice(0, -1)
    return { file, folders }
  })
    .filter(({ folders }) => !folders.some(folder => JUNK_FOLDER.test(folder)))
    .map(({ file, folders }) => picked(file, folders.join('/')))
}

export interface DroppedFiles {
  readonly files: readonly PickedFile[]
  /** Paths of what the browser could not read, or would be too much. */
  readonly unread: readonly string[]
}

/** @returns all files that were dropped, those in folders too. Has to be called in the turn of the event. */
export async function droppedFiles(transfer: Pick<DataTransfer, 'items' | 'files'>): Promise<DroppedFiles> {
  // entries are gone after the first wait
  const entries = Array.from(transfer.items, item => item.webkitGetAsEntry()).filter(entry => entry !== null)
  if (entries.length === 0) return { files: pickedFiles(transfer.files), unread: [] }
  const files: PickedFile[] = []
  const unread: string[] = []
  const walk = async (entry: FileSystemEntry, folder: string): Promise<void> => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    try {
      if (files.length >= FILES_MAX) unread.push(path)
      else if (entry.isFile) files.push(picked(await fileOf(entry as FileSystemFileEntry), folder))
      else if (!JUNK_FOLDER.test(entry.name))
        for await (const inner of entriesIn(entry as FileSystemDirectoryEntry)) await walk(inner, path)
    } catch {
      // gone or not readable since; browsers do not say which
      unread.push(path)
    }
  }
  for (const entry of entries) await walk(entry, '')
  return { files, unread }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject))
}

async function* entriesIn(folder: FileSystemDirectoryEntry): AsyncGenerator<FileSystemEntry> {
  const reader = folder.createReader()
  for (;;) {
    // at most 100 a time
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return
    yield* some
  }
}

function picked(file: File, folder: string): PickedFile {
  return { name: file.name, folder, size: file.size, modifiedMs: file.lastModified, blob: file }
}
