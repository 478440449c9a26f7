import type { UploadFile } from './queue.js'

/** A file that the browser has handed over. */
export interface PickedFile extends UploadFile {
  readonly blob: File
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

/** @returns all files that were dropped, those in folders too. Has to be called in the turn of the event. */
export async function droppedFiles(transfer: DataTransfer): Promise<PickedFile[]> {
  // entries are gone after the first wait
  const entries = Array.from(transfer.items, item => item.webkitGetAsEntry()).filter(entry => entry !== null)
  if (entries.length === 0) return pickedFiles(transfer.files)
  const files: PickedFile[] = []
  for (const entry of entries) await walk(entry, '', files)
  return files
}

async function walk(entry: FileSystemEntry, folder: string, files: PickedFile[]): Promise<void> {
  if (files.length >= FILES_MAX) return
  if (entry.isFile) {
    const file = await new Promise<File | undefined>(resolve =>
      (entry as FileSystemFileEntry).file(resolve, () => resolve(undefined))
    )
    if (file !== undefined) files.push(picked(file, folder))
    return
  }
  if (JUNK_FOLDER.test(entry.name)) return
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  const inside = folder === '' ? entry.name : `${folder}/${entry.name}`
  for (;;) {
    // at most 100 a time
    const some = await new Promise<FileSystemEntry[]>(resolve => reader.readEntries(resolve, () => resolve([])))
    if (some.length === 0) return
    for (const each of some) await walk(each, inside, files)
  }
}

function picked(file: File, folder: string): PickedFile {
  return { name: file.name, folder, size: file.size, modifiedMs: file.lastModified, blob: file }
}
