import type { FileSystem } from './file-system.js'

const LIMITS_FILE = '/proc/self/limits'
const SOFT_LIMIT = /^Max open files\s+(\d+)/m

/** @returns how many files and sockets the process may have open; undefined where the system does not say: only Linux does */
export async function openFilesMax(fileSystem: Pick<FileSystem, 'readFile'>): Promise<number | undefined> {
  const limits = await fileSystem.readFile(LIMITS_FILE)
  const [, soft] = SOFT_LIMIT.exec(Buffer.from(limits ?? []).toString()) ?? []
  return soft === undefined ? undefined : Number(soft)
}
