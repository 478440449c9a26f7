import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { SheafError } from '../../core/errors.js'

/** Limit on the files read from one package: they are in memory together. */
const FILES_BYTES_MAX = 512 * 2 ** 20

/** npm packs everything below one folder, usually `package`. */
const TOP_FOLDER = /^[^/]+\//

/**
 * Reads files from an npm package without unpacking it to disk, so that paths in it can do no harm.
 *
 * @param tarball - path of the `.tgz`
 * @param isNeeded - whether to read a file, by its path in the package
 * @returns the files by path
 * @throws `ERR_MODEL_INVALID` when it is not a gzipped tar archive, or the files are too large
 */
export async function readPackage(
  tarball: string,
  isNeeded: (path: string) => boolean
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  const archive = extract()
  const read = async (): Promise<void> => {
    let byteCount = 0
    for await (const entry of archive) {
      const path = entry.header.name.replace(TOP_FOLDER, '')
      const take = entry.header.type === 'file' && isNeeded(path)
      const parts: Uint8Array[] = []
      for await (const part of entry as AsyncIterable<Uint8Array>) {
        if (!take) continue
        byteCount += part.length
        if (byteCount > FILES_BYTES_MAX)
          throw new Error(`its files have more than the maximum of ${FILES_BYTES_MAX} bytes`)
        parts.push(part)
      }
      if (take) files.set(path, Buffer.concat(parts))
    }
  }
  try {
    await Promise.all([pipeline(createReadStream(tarball), createGunzip(), archive), read()])
  } catch (err) {
    const problem = err instanceof Error ? err.message : String(err)
    throw new SheafError('ERR_MODEL_INVALID', `${tarball} cannot be unpacked: ${problem}`, { cause: err })
  }
  return files
}
