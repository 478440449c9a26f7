import { SESSION_STATE, USER } from './account-schemas.js'
import { ALBUM } from './album-schemas.js'
import { MEMBER } from './cluster-schemas.js'
import { PROBLEM, type Schema, VERSION } from './common.js'
import { EVENT } from './event-schemas.js'
import { TRASHED_PHOTO } from './library-schemas.js'
import { JOB, JOB_STATE, VOLUME } from './node-schemas.js'
import { META, PHOTO_DETAILS, PHOTO_RECORD } from './photo-schemas.js'
import { COVERAGE, DUPLICATE_GROUP } from './similarity-schemas.js'
import { BUCKET, BUCKET_PHOTOS } from './timeline-schemas.js'
import { RECEIPT } from './upload-schemas.js'

/** Schemas of answers that the document tells once, and by these names wherever they are used. Those of requests stand where they count. */
const NAMED: Readonly<Record<string, Schema>> = {
  Album: ALBUM,
  Bucket: BUCKET,
  BucketPhotos: BUCKET_PHOTOS,
  Coverage: COVERAGE,
  DuplicateGroup: DUPLICATE_GROUP,
  Event: EVENT,
  Job: JOB,
  JobState: JOB_STATE,
  Member: MEMBER,
  Photo: META,
  PhotoDetails: PHOTO_DETAILS,
  PhotoRecord: PHOTO_RECORD,
  Problem: PROBLEM,
  Session: SESSION_STATE,
  TrashedPhoto: TRASHED_PHOTO,
  UploadReceipt: RECEIPT,
  User: USER,
  Version: VERSION,
  Volume: VOLUME
}
const NAMES: ReadonlyMap<unknown, string> = new Map(Object.entries(NAMED).map(([name, schema]) => [schema, name]))

/** @returns the schemas by their names, for `components` of the document */
export function namedSchemas(): Readonly<Record<string, Schema>> {
  return Object.fromEntries(Object.entries(NAMED).map(([name, schema]) => [name, withNamesInside(schema)]))
}

/** @returns the same, with references in the place of schemas that have a name */
export function withNames<Part>(part: Part): Part {
  const name = NAMES.get(part)
  return name === undefined ? withNamesInside(part) : ({ $ref: `#/components/schemas/${name}` } as Part)
}

function withNamesInside<Part>(part: Part): Part {
  if (Array.isArray(part)) return part.map(withNames) as Part
  if (typeof part !== 'object' || part === null) return part
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, withNames(value)])) as Part
}
