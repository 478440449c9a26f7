import type { Progress } from '../core/progress.js'
import type { Directory } from '../directory/directory.js'
import { chainDigest, needleBytes } from '../domain/needle.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import type { Volume } from '../volumes/volume.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import { blobsOf, dataIdentity, needleCount } from './photo-needles.js'

/** What a check of everything found. */
export interface CheckReport {
  readonly needles: number
  readonly bytes: number
  /** Empty: all is well. At most {@link FAULTS_MAX} are kept. */
  readonly faults: readonly Fault[]
}

export interface Fault {
  readonly volume: string | undefined
  readonly photoId: string | undefined
  /** In words. */
  readonly problem: string
}

/** Bound on what a report holds; the first ones tell the kind of damage. */
export const FAULTS_MAX = 1000

export interface VerifyComponents {
  readonly directory: Pick<Directory, 'verify' | 'records'>
  readonly volumes: Pick<VolumeSet, 'volumes' | 'locate'>
}

/**
 * Holds log and view against each other: every volume's needles against its head, every row of the directory against its
 * record, every live photo against the needles that its bytes should be in. Reads headers and footers; the bytes between
 * them are the scrub's.
 */
export async function verify(
  { directory, volumes }: VerifyComponents,
  progress: (progress: Progress) => void,
  signal: AbortSignal
): Promise<CheckReport> {
  const faults: Fault[] = []
  const report = (problem: string, place: { volume?: string; photoId?: string } = {}): void => {
    if (faults.length < FAULTS_MAX) faults.push({ volume: place.volume, photoId: place.photoId, problem })
  }
  let needles = 0
  let bytes = 0
  const all = volumes.volumes()
  const total = all.reduce((sum, volume) => sum + volume.end, 0)
  for (const volume of all) {
    const counted = await verifyVolume(volume, problem => report(problem, { volume: volume.id }), signal)
    needles += counted.needles
    bytes += counted.bytes
    progress({ done: bytes, total, unit: 'bytes' })
  }
  for (const problem of await directory.verify()) report(`directory: ${problem}`)
  for await (const record of directory.records(PHOTO_KIND)) {
    signal.throwIfAborted()
    const photo = viewPhoto(record)
    if (photo.deleted) continue
    for (const problem of missingNeedles(photo, volumes)) report(problem, { photoId: photo.id })
  }
  return { needles, bytes, faults }
}

async function verifyVolume(
  volume: Volume,
  report: (problem: string) => void,
  signal: AbortSignal
): Promise<{ needles: number; bytes: number }> {
  // taken together, before anything is awaited: an active volume goes on growing
  const { end, chain, holes } = volume
  let needles = 0
  let bytes = 0
  let found: Uint8Array = new Uint8Array(chain.byteLength)
  for await (const event of volume.scan(SUPERBLOCK_BYTES, Number.POSITIVE_INFINITY, end, end)) {
    signal.throwIfAborted()
    if (event.kind !== 'needle') continue // a hole, known below or noted by the comparison of digests
    found = chainDigest(found, event.footer)
    needles++
    bytes += needleBytes(event.header.length)
  }
  for (const { from, to, reason } of holes) report(`bytes ${from} to ${to} are ${reason}`)
  if (holes.length === 0 && Buffer.compare(found, chain) !== 0) report('the needles do not give the digest of the head')
  return { needles, bytes }
}

function* missingNeedles(photo: Photo, volumes: Pick<VolumeSet, 'locate'>): Generator<string> {
  for (const blob of blobsOf(photo)) {
    for (let chunk = 0; chunk < needleCount(blob); chunk++) {
      if (volumes.locate(dataIdentity(blob, chunk)).length === 0)
        yield `no intact copy of ${blob.part}, chunk ${chunk}, is here`
    }
  }
}
