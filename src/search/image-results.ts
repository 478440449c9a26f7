import { hash } from 'node:crypto'
import { encodeFeatures, type ModelId, modelIdOf } from '../domain/features.js'
import {
  featuresChange,
  featuresFailedChange,
  type ImageLook,
  imageChange,
  isUnseenBy,
  type Link,
  lacksThumbhash,
  linkChange,
  type PictureState,
  phashChange,
  viewFindings,
  viewLooks
} from '../domain/findings.js'
import type { PhotoId } from '../domain/ids.js'
import { addVariantChange, type Photo } from '../domain/photo.js'
import { dimensionsChange } from '../domain/photo-facts.js'
import { isMovieFormat } from '../domain/photo-kind.js'
import type { Change } from '../domain/record.js'
import { type DecodingTool, toolFor } from '../similarity/images/decoding-tools.js'
import { type Analysis, type AnalysisRequest, DECODER, PICTURE_READER } from '../similarity/images/image-analyzer.js'
import { dataDraft } from '../store/photo-needles.js'
import type { Edit } from '../store/record-writer.js'
import type { NeedleDraft } from '../volumes/needle-store.js'

/*
 * What an analysis changes in the record of a photo.
 */

type Tools = ReadonlySet<DecodingTool>

export function resultOf(
  photo: Photo,
  analysis: Analysis,
  outputs: AnalysisRequest['outputs'],
  { links, tools }: { readonly links: ReadonlyMap<PhotoId, Link>; readonly tools: Tools }
): Edit {
  const { id, generation } = photo
  const { variants, features, featuresError } = analysis
  const changes: Change[] = outputs.facts ? lookOf(photo, analysis, tools) : []
  const needles: NeedleDraft[] = []
  for (const { alt, recipe, contentType, bytes } of variants) {
    if (photo.variants.has(alt)) continue // made by a client, or another node was first
    const sha256 = hash('sha256', bytes, 'hex')
    changes.push(addVariantChange(alt, { recipe, sha256, size: bytes.length, contentType, chunkBytes: 0 }))
    needles.push(dataDraft(photo, { id, generation, part: alt, sha256 }, 0, false, bytes))
  }
  if (features !== undefined) {
    const bytes = encodeFeatures(features)
    const sha256 = hash('sha256', bytes, 'hex')
    changes.push(featuresChange(modelIdOf(features.modelDigest), { sha256, size: bytes.length }))
    needles.push(dataDraft(photo, { id, generation, part: 'features', sha256 }, 0, false, bytes))
  }
  if (outputs.features !== undefined && featuresError !== undefined)
    changes.push(featuresFailedChange(outputs.features, featuresError))
  for (const [other, link] of links) changes.push(linkChange(other, link))
  return { changes, needles }
}

/** @returns what was seen of a picture, unless another node was first */
function lookOf(photo: Photo, { width, height, state, error, phash, thumbhash }: Analysis, tools: Tools): Change[] {
  const { image, failed } = viewFindings(photo.record)
  if (!isUnseenHere(image, tools)) return []
  const isSizeNew =
    photo.width === undefined || (state === 'whole' && (photo.width !== width || photo.height !== height))
  return [
    ...(isSizeNew ? [dimensionsChange(width, height)] : []),
    imageChange({ state, error, reader: PICTURE_READER, decoder: decoderOf(state), thumbhash }),
    ...(phash === undefined ? [] : [phashChange(phash)]),
    // models that failed since there was no picture may try again
    ...Array.from(failed.keys(), model => ({ kind: 'remove', field: 'features', key: model }) as const)
  ]
}

/** @returns the look of before, and the picture in a few bytes; undefined: it cannot be told */
export function hashedLook({ record }: Photo, thumbhash: Uint8Array | undefined): Change {
  const { state = 'whole', error } = viewLooks(record).image ?? {}
  return imageChange({ state, error, reader: PICTURE_READER, decoder: decoderOf(state), thumbhash })
}

function decoderOf(state: PictureState): string {
  return state === 'poster' ? 'ffmpeg' : DECODER
}

export function failureOf(photo: Photo, error: string, model: ModelId | undefined, tools: Tools): Change[] {
  const { head, image } = viewLooks(photo.record)
  const tool = error === 'ERR_IMAGE_UNREADABLE' ? toolFor(head?.format) : undefined
  const wants = isHere(tool, tools) ? undefined : tool
  const decoder = isMovieFormat(head?.format) ? 'ffmpeg' : DECODER
  const look = { error, state: 'none', wants, reader: PICTURE_READER, decoder } as const
  return [
    ...(isUnseenHere(image, tools) ? [imageChange(look)] : []),
    ...(model === undefined ? [] : [featuresFailedChange(model, error)])
  ]
}

export function isUnhashed({ deleted, record }: Photo): boolean {
  return !deleted && lacksThumbhash(viewLooks(record).image)
}

/** Whether this node has still to look at a picture: also at one that wanted a tool which another node lacked. */
export function isUnseenHere(image: ImageLook | undefined, tools: Tools): boolean {
  return isUnseenBy(PICTURE_READER, image) || isHere(image?.wants, tools)
}

function isHere(tool: string | undefined, tools: ReadonlySet<string>): boolean {
  return tool !== undefined && tools.has(tool)
}
