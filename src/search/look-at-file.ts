import { hasCode, SheafError } from '../core/errors.js'
import { isRawFormat } from '../domain/photo-kind.js'
import type { PhotoReader } from '../photos/photo-reader.js'
import type { Analysis, AnalysisRequest, ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import type { PhotoBlob } from '../store/photo-needles.js'
import { sourceOfBlob } from './blob-source.js'

/** Previews that are tried, the largest first: the others are small. */
const TRIED_MAX = 2
/** A preview is looked for, not a date. */
const NO_HINTS = { latestMs: 0, name: '' }

export interface LookAtFileComponents {
  readonly analyzer: Pick<ImageAnalyzer, 'analyze' | 'readHead'>
  readonly reader: Pick<PhotoReader, 'stream'>
}

/**
 * Gets a picture out of a file: what the whole of it is, else a preview in it. RAW files are not developed, so of those it is always
 * the preview, and only its bytes are read. Of a picture that is too large to decode there may be a thumbnail, which is shown but not
 * compared.
 *
 * @param format - as its head says
 * @throws as `ImageAnalyzer.analyze`; `ERR_IMAGE_UNREADABLE` for a RAW file without a preview
 */
export async function lookAtFile(
  { analyzer, reader }: LookAtFileComponents,
  { blob, format }: { readonly blob: PhotoBlob; readonly format: string | undefined },
  outputs: AnalysisRequest['outputs'],
  signal: AbortSignal
): Promise<Analysis> {
  const lookAtPreview = async (wanted: AnalysisRequest['outputs']): Promise<Analysis | undefined> => {
    const head = await analyzer.readHead({ source: sourceOfBlob(reader, blob), hints: NO_HINTS }, signal)
    for (const { at, length } of head?.previews?.slice(0, TRIED_MAX) ?? []) {
      const bytes = (): AsyncIterable<Uint8Array> => reader.stream(blob, at, at + length)
      const preview = { orientation: head?.orientation }
      try {
        return await analyzer.analyze({ bytes, size: length, outputs: wanted, preview, priority: 'backlog' }, signal)
      } catch (err) {
        if (!hasCode(err, 'ERR_IMAGE_UNREADABLE') && !hasCode(err, 'ERR_IMAGE_TOO_LARGE')) throw err
      }
    }
    return undefined
  }

  if (isRawFormat(format)) {
    const analysis = await lookAtPreview(outputs)
    if (analysis === undefined) throw new SheafError('ERR_IMAGE_UNREADABLE', 'there is no preview in this RAW file')
    return analysis
  }
  const bytes = (): AsyncIterable<Uint8Array> => reader.stream(blob, 0, blob.size)
  try {
    return await analyzer.analyze({ bytes, size: blob.size, outputs, priority: 'backlog' }, signal)
  } catch (err) {
    if (!hasCode(err, 'ERR_IMAGE_TOO_LARGE') || !outputs.facts) throw err
    const thumbnail = await lookAtPreview({ facts: true, features: undefined })
    if (thumbnail === undefined) throw err
    const { phash: _, ...shown } = thumbnail
    const error = 'ERR_IMAGE_TOO_LARGE'
    return { ...shown, error, ...(outputs.features !== undefined && { featuresError: error }) }
  }
}
