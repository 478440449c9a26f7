import { SheafError, systemErrorCode } from '../core/errors.js'
import type { File } from '../core/file-system.js'
import type { VolumeId } from '../domain/ids.js'

/**
 * Writes all parts. A short write counts as a full disk.
 *
 * @throws the file's own error; an error with the code `ENOSPC` for a short write
 */
export async function writeWhole(file: File, parts: readonly Uint8Array[], position: number): Promise<void> {
  const wanted = parts.reduce((sum, part) => sum + part.byteLength, 0)
  const written = await file.write(parts, position)
  if (written === wanted) return
  throw Object.assign(new Error(`ENOSPC: ${written} of ${wanted} bytes written`), { code: 'ENOSPC' })
}

/** @returns the error to report for a failed write or sync, perhaps of a volume: `ERR_DISK_FULL` or `ERR_DISK_WRITE` */
export function writeError(cause: unknown, volume?: VolumeId): SheafError {
  const full = systemErrorCode(cause) === 'ENOSPC' || systemErrorCode(cause) === 'EDQUOT'
  return new SheafError(full ? 'ERR_DISK_FULL' : 'ERR_DISK_WRITE', undefined, {
    cause,
    ...(volume && { details: { volume } })
  })
}
