import { type Findings, viewFindings } from '../domain/findings.js'
import type { Appearance, Shot } from '../domain/likeness.js'
import { cameraOf, localMs, takenAtOf } from '../domain/photo-facts.js'
import { isRawFormat } from '../domain/photo-kind.js'
import type { DirectoryRecord } from '../domain/record.js'

/** @returns what its record says of how a photo looks; holds on to nothing of the record */
export function appearanceOf(
  record: DirectoryRecord,
  { phash, head }: Pick<Findings, 'phash' | 'head'> = viewFindings(record)
): Appearance {
  return { phash: phash && Uint8Array.from(phash), shot: shotOf(record, head?.format) }
}

function shotOf(record: DirectoryRecord, format: string | undefined): Shot | undefined {
  const takenAt = takenAtOf(record)
  const { make = '', model } = cameraOf(record) ?? {}
  if (format === undefined || takenAt === undefined || model === undefined) return undefined
  const { precision = 'second' } = takenAt
  if (precision !== 'second') return undefined
  return { localMs: localMs(takenAt), camera: `${make} ${model}`, isRaw: isRawFormat(format) }
}
