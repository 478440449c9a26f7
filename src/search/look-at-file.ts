import { hasCode, SheafError } from '../core/errors.js'
import { isMovieFormat, isRawFormat } from '../domain/photo-kind.js'
import type { Head } from '../similarity/images/heads/head-facts.js'
import type { Analysis, AnalysisRequest, ImageAnalyzer } from '../similarity/images/image-analyzer.js'
import type { Ffmpeg, FrameRequest } from '../similarity/videos/ffmpeg.js'
import { oneFrameMovie } from '../similarity/videos/one-frame-movie.js'
import { type ReadableFile, readFrom, sourceOf } from './readable-file.js'

/** Previews that are tried, the largest first: the others are small. */
const TRIED_MAX = 2
/** Of a movie whose head does not say where its pictures are. */
const MOVIE_START_BYTES = 16 * 2 ** 20
/** A picture is looked for, not a date. */
export const NO_HINTS = { latestMs: 0, name: '' }

export interface LookAtFileComponents {
  readonly analyzer: Pick<ImageAnalyzer, 'analyze' | 'readHead'>
  /** Decodes pictures of movies; undefined: there is nothing here that does. */
  readonly ffmpeg: Pick<Ffmpeg, 'frame'> | undefined
}

/** What is wanted of a file. */
export interface Look extends Pick<AnalysisRequest, 'outputs' | 'priority'> {
  /** As its head says. */
  readonly format: string | undefined
}

/**
 * Gets a picture out of a file: what the whole of it is, else a preview in it. RAW files are not developed, so of those it is always
 * the preview, and of a movie one of its pictures; only those bytes are read. Of a picture that is too large to decode there may be a
 * thumbnail, which is shown but not compared.
 *
 * @throws as `ImageAnalyzer.analyze`; `ERR_IMAGE_UNREADABLE` for a RAW file without a preview, and for a movie without a picture, or
 * where nothing decodes it
 */
export async function lookAtFile(
  components: LookAtFileComponents,
  file: ReadableFile,
  look: Look,
  signal: AbortSignal
): Promise<Analysis> {
  if (isMovieFormat(look.format)) return lookAtMovie(components, file, look, signal)
  if (isRawFormat(look.format)) {
    const analysis = await lookAtPreview(components, file, look, signal)
    if (analysis === undefined) throw new SheafError('ERR_IMAGE_UNREADABLE', 'there is no preview in this RAW file')
    return analysis
  }
  const { outputs, priority } = look
  const bytes = (): AsyncIterable<Uint8Array> => file.stream(0, file.size)
  try {
    return await components.analyzer.analyze({ bytes, size: file.size, outputs, priority }, signal)
  } catch (err) {
    if (!hasCode(err, 'ERR_IMAGE_TOO_LARGE') || !outputs.facts) throw err
    const shownOnly = { ...look, outputs: { facts: true, features: undefined } }
    const thumbnail = await lookAtPreview(components, file, shownOnly, signal)
    if (thumbnail === undefined) throw err
    const { phash: _, ...shown } = thumbnail
    const error = 'ERR_IMAGE_TOO_LARGE'
    return { ...shown, error, ...(outputs.features !== undefined && { featuresError: error }) }
  }
}

async function lookAtPreview(
  { analyzer }: LookAtFileComponents,
  file: ReadableFile,
  { outputs, priority }: Look,
  signal: AbortSignal
): Promise<Analysis | undefined> {
  const head = await analyzer.readHead({ source: sourceOf(file), hints: NO_HINTS }, signal)
  for (const { at, length } of head?.previews?.slice(0, TRIED_MAX) ?? []) {
    const bytes = (): AsyncIterable<Uint8Array> => file.stream(at, at + length)
    const preview = { orientation: head?.orientation }
    try {
      return await analyzer.analyze({ bytes, size: length, outputs, preview, priority }, signal)
    } catch (err) {
      if (!isOfPicture(err)) throw err
    }
  }
  return undefined
}

/** One picture says how a movie looks, but not of which movie it is a copy: it has no hash. */
async function lookAtMovie(
  { analyzer, ffmpeg }: LookAtFileComponents,
  file: ReadableFile,
  { outputs, priority }: Look,
  signal: AbortSignal
): Promise<Analysis> {
  if (ffmpeg === undefined) {
    throw new SheafError('ERR_IMAGE_UNREADABLE', 'videos cannot be decoded here; install ffmpeg on the node')
  }
  const head = await analyzer.readHead({ source: sourceOf(file), hints: NO_HINTS }, signal)
  let reason: unknown = new SheafError('ERR_IMAGE_UNREADABLE', 'there is no movie in this file')
  for (const { format, bytes, orientation } of partsOf(file, head)) {
    try {
      const frame = await ffmpeg.frame({ format, bytes, priority }, signal)
      const request = { bytes: frame, size: frame.length, outputs, preview: { orientation }, priority }
      const { phash: _, ...analysis } = await analyzer.analyze(request, signal)
      if (analysis.state === 'preview') return { ...analysis, state: 'poster' }
    } catch (err) {
      if (!isOfPicture(err)) throw err
      reason = err
    }
  }
  throw reason
}

interface MoviePart extends Pick<FrameRequest, 'format' | 'bytes'> {
  /** How the picture is turned, as in EXIF, where the bytes do not say. */
  readonly orientation: number | undefined
}

/** @returns what may be decoded of a movie, the best first */
function partsOf(file: ReadableFile, head: Head | undefined): MoviePart[] {
  if (head === undefined) return []
  const { format, movie, orientation } = head
  if (movie === undefined)
    return [{ format, bytes: () => readFrom(file, 0, MOVIE_START_BYTES), orientation: undefined }]
  const { config, configIndex, frames } = movie
  return frames.map(({ at, length }) => ({
    format,
    bytes: async () =>
      oneFrameMovie({
        config: await readFrom(file, config.at, config.length),
        configIndex,
        frame: await readFrom(file, at, length)
      }),
    orientation
  }))
}

/** Another part of the same file may do. */
function isOfPicture(err: unknown): boolean {
  return hasCode(err, 'ERR_IMAGE_UNREADABLE') || hasCode(err, 'ERR_IMAGE_TOO_LARGE')
}
