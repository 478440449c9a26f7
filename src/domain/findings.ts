/*
 * Findings: what analysis derived from a photo's bytes, as elements of its record beside the tags:
 *
 *   field     key                      value
 *   facts     'head'                   reader, format?: the head of the file was read, by this version of the reader, which
 *                                      knows the file's format, or does not
 *             'image'                  error?, state?, wants?, reader?, decoder?, thumbhash? (5 to 25 bytes): the photo was
 *                                      analyzed as an image; the error code if that failed, how much of the picture there is,
 *                                      the tool that it would take, by which versions, and the picture itself in a few bytes;
 *                                      all but the error are absent from records of before
 *             'phash'                  bits (8 bytes): perceptual hash; absent for a flat picture
 *   features  model id                 sha256 (32 bytes), size: of the features needle's data; or error
 *   links     id of another photo      tier, score: a similar photo; written once, on the younger of the two
 *   unlinks   id of another photo      –: a user says that the two are not duplicates
 *
 * Several nodes may analyze the same photo. Of differing features the least sha256 counts.
 */
import type { Value } from './cbor.js'
import { type ModelId, parseModelId } from './features.js'
import { type PhotoId, parsePhotoId } from './ids.js'
import { factOf } from './photo-facts.js'
import { type Change, type DirectoryRecord, elementsOf } from './record.js'
import { bytesOf, hexOf, integerOf, mapOf, numberOf, textOf } from './value-fields.js'

const PHASH_BYTES = 8
const [THUMBHASH_BYTES_MIN, THUMBHASH_BYTES_MAX] = [5, 25]
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

/**
 * How much of a picture could be had: the `whole` one, a part of it, the preview or poster in the file, or `none`.
 */
export const PICTURE_STATES = ['whole', 'partial', 'preview', 'poster', 'none'] as const
export type PictureState = (typeof PICTURE_STATES)[number]

/** The outcome of a photo's analysis as an image. */
export interface ImageLook {
  readonly state: PictureState
  /** Why there is not the whole picture. Undefined also when a tool is lacking: that is no fault of the photo's. */
  readonly error: string | undefined
  /** The tool that it would take, e.g. `heif`. */
  readonly wants: string | undefined
  /** Version of the program's part that decodes; 0: of before. */
  readonly reader: number
  /** The picture in a few bytes, to be shown before it comes; undefined also of looks of before. */
  readonly thumbhash: Uint8Array | undefined
}

/** The outcome of reading the file's head. */
export interface HeadLook {
  readonly reader: number
  /** Undefined: one that the reader does not know. */
  readonly format: string | undefined
}

/** How a photo was looked at; undefined: not yet. */
export interface Looks {
  readonly head: HeadLook | undefined
  readonly image: ImageLook | undefined
}

export interface Findings extends Looks {
  /** 8 bytes. */
  readonly phash: Uint8Array | undefined
  readonly features: ReadonlyMap<ModelId, FeaturesBlob>
  /** Models that failed on this photo, with the error code. */
  readonly failed: ReadonlyMap<ModelId, string>
  readonly links: ReadonlyMap<PhotoId, Link>
  readonly unlinks: ReadonlySet<PhotoId>
}

/** Ignores what it does not understand. */
export function viewLooks(record: DirectoryRecord): Looks {
  const head = factOf(record, 'head')
  const image = factOf(record, 'image')
  const reader = integerOf(head, 'reader')
  return {
    head: head && reader !== undefined ? { reader, format: textOf(head, 'format') } : undefined,
    image: image && imageLookOf(image)
  }
}

function imageLookOf(fields: ReadonlyMap<string, Value>): ImageLook {
  const error = textOf(fields, 'error')
  const wants = textOf(fields, 'wants')
  const said = PICTURE_STATES.find(one => one === textOf(fields, 'state'))
  return {
    state: said ?? (error === undefined ? 'whole' : 'none'),
    error: wants === undefined ? error : undefined,
    wants,
    reader: integerOf(fields, 'reader') ?? 0,
    thumbhash: thumbhashOf(fields)
  }
}

function thumbhashOf(fields: ReadonlyMap<string, Value>): Uint8Array | undefined {
  const value = fields.get('thumbhash')
  const isHash =
    value instanceof Uint8Array && value.length >= THUMBHASH_BYTES_MIN && value.length <= THUMBHASH_BYTES_MAX
  return isHash ? value : undefined
}

/** Ignores elements that it does not understand. */
export function viewFindings(record: DirectoryRecord): Findings {
  const { features, failed } = viewFeatures(record)
  const phash = factOf(record, 'phash')
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
    ...viewLooks(record),
    phash: phash && bytesOf(phash, 'bits', PHASH_BYTES),
    features,
    failed,
    links,
    unlinks: new Set(unlinks.filter(id => id !== undefined))
  }
}

/** Whether a reader of this version has still to look at a picture: nobody has, or an older one could not read all of it. */
export function isUnseenBy(reader: number, image: ImageLook | undefined): boolean {
  const isLacking = image?.error !== undefined || image?.wants !== undefined
  return image === undefined || (isLacking && image.reader < reader)
}

/** The first reader that tells pictures in a few bytes. */
const THUMBHASH_READER = 3

/** Whether a picture has still to be told in a few bytes: a reader of before that has shown it. */
export function lacksThumbhash(image: ImageLook | undefined): boolean {
  if (image === undefined || image.state === 'none' || image.error !== undefined) return false
  return image.thumbhash === undefined && image.reader < THUMBHASH_READER
}

/** @param format - undefined: not known to the reader */
export function headChange(reader: number, format: string | undefined): Change {
  return { kind: 'add', field: 'facts', key: 'head', value: mapOf({ reader, format }) }
}

/**
 * @param error - written also when a tool is lacking: versions before this one would take a look without error for a picture that
 * they can show
 */
export function imageChange(
  look: Pick<ImageLook, 'state' | 'reader'> & {
    readonly error?: string | undefined
    readonly wants?: string | undefined
    readonly thumbhash?: Uint8Array | undefined
  } & { readonly decoder: string }
): Change {
  const { error, state, wants, reader, decoder, thumbhash } = look
  return {
    kind: 'add',
    field: 'facts',
    key: 'image',
    value: mapOf({ error, state, wants, reader, decoder, thumbhash })
  }
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

/** Takes back that two are not duplicates, as far as this record says so. */
export function unlinkUndoChange(other: PhotoId): Change {
  return { kind: 'remove', field: 'unlinks', key: other }
}

/** The part of {@link viewFindings} that names needles, at a fraction of the cost. */
export function viewFeatures(record: DirectoryRecord): Pick<Findings, 'features' | 'failed'> {
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
