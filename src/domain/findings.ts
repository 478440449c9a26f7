/*
 * Findings: what analysis derived from a photo's bytes, as elements of its record beside the tags:
 *
 *   field     key                      value
 *   facts     'image'                  error?: the photo was analyzed as an image; the error code if that failed
 *             'phash'                  bits (8 bytes): perceptual hash
 *   features  model id                 sha256 (32 bytes), size: of the features needle's data; or error
 *   links     id of another photo      tier, score: a similar photo; written once, on the younger of the two
 *   unlinks   id of another photo      –: a user says that the two are not duplicates
 *
 * Several nodes may analyze the same photo. Of differing features the least sha256 counts.
 */
import { type ModelId, parseModelId } from './features.js'
import { type PhotoId, parsePhotoId } from './ids.js'
import { type Change, type DirectoryRecord, elementsOf } from './record.js'
import { bytesOf, hexOf, integerOf, mapOf, numberOf, textOf } from './value-fields.js'

const PHASH_BYTES = 8
const SHA256_BYTES = 32

/** How similar two photos are: another rendition of the same picture, or a picture that resembles it. */
export type LinkTier = 'near' | 'similar'

export interface Link {
  readonly tier: LinkTier
  /** Cosine similarity. */
  readonly score: number
}

/** Names the data of a features needle. */
export interface FeaturesBlob {
  /** Lower-case hex. */
  readonly sha256: string
  readonly size: number
}

export interface Findings {
  /** The photo was analyzed as an image; with an error code if that failed. Undefined: not yet. */
  readonly image: { readonly error: string | undefined } | undefined
  /** 8 bytes. */
  readonly phash: Uint8Array | undefined
  readonly features: ReadonlyMap<ModelId, FeaturesBlob>
  /** Models that failed on this photo, with the error code. */
  readonly failed: ReadonlyMap<ModelId, string>
  readonly links: ReadonlyMap<PhotoId, Link>
  readonly unlinks: ReadonlySet<PhotoId>
}

/** Ignores elements that it does not understand. */
export function viewFindings(record: DirectoryRecord): Findings {
  const { features, failed } = featuresOf(record)
  const facts = elementsOf(record, 'facts')
  const image = facts.findLast(({ key }) => key === 'image')?.value
  const phash = facts.findLast(({ key }) => key === 'phash')?.value
  const links = new Map<PhotoId, Link>()
  for (const { key, value } of elementsOf(record, 'links')) {
    const id = parsePhotoId(key)
    const tier = textOf(value, 'tier')
    const score = numberOf(value, 'score')
    if (id !== undefined && (tier === 'near' || tier === 'similar') && score !== undefined)
      links.set(id, { tier, score })
  }
  const unlinks = elementsOf(record, 'unlinks').map(({ key }) => parsePhotoId(key))
  return {
    image: image && { error: textOf(image, 'error') },
    phash: phash && bytesOf(phash, 'bits', PHASH_BYTES),
    features,
    failed,
    links,
    unlinks: new Set(unlinks.filter(id => id !== undefined))
  }
}

export function imageChange(error?: string): Change {
  return { kind: 'add', field: 'facts', key: 'image', value: mapOf({ error }) }
}

/** @param bits - 8 bytes */
export function phashChange(bits: Uint8Array): Change {
  return { kind: 'add', field: 'facts', key: 'phash', value: mapOf({ bits }) }
}

export function featuresChange(model: ModelId, { sha256, size }: FeaturesBlob): Change {
  return { kind: 'add', field: 'features', key: model, value: mapOf({ sha256: Buffer.from(sha256, 'hex'), size }) }
}

/** Records that the model failed on the photo, so that no node tries again. */
export function featuresFailedChange(model: ModelId, error: string): Change {
  return { kind: 'add', field: 'features', key: model, value: mapOf({ error }) }
}

export function linkChange(other: PhotoId, { tier, score }: Link): Change {
  return { kind: 'add', field: 'links', key: other, value: mapOf({ tier, score }) }
}

export function unlinkChange(other: PhotoId): Change {
  return { kind: 'add', field: 'unlinks', key: other }
}

function featuresOf(record: DirectoryRecord): Pick<Findings, 'features' | 'failed'> {
  const features = new Map<ModelId, FeaturesBlob>()
  const failed = new Map<ModelId, string>()
  for (const { key, value } of elementsOf(record, 'features')) {
    const model = parseModelId(key)
    const sha256 = hexOf(value, 'sha256', SHA256_BYTES)
    const size = integerOf(value, 'size')
    if (model === undefined) continue
    if (sha256 === undefined || size === undefined) failed.set(model, textOf(value, 'error') ?? '')
    else if (sha256 < (features.get(model)?.sha256 ?? '~')) features.set(model, { sha256, size })
  }
  for (const model of features.keys()) failed.delete(model)
  return { features, failed }
}
