import type { Progress } from '../core/progress.js'
import type { Directory } from '../directory/directory.js'
import { chainDigest, needleBytes } from '../domain/needle.js'
import { PHOTO_KIND, type Photo, viewPhoto } from '../domain/photo.js'
import { SUPERBLOCK_BYTES } from '../domain/superblock.js'
import type { Volume } from '../volumes/volume.js'
import type { VolumeSet } from '../volumes/volume-set.js'
import { blobsOf, dataIdentity, locateBytes, needleCount } from './photo-needles.js'

/** Result of a full check. */
export interface CheckReport {
  readonly needles: number
  readonly bytes: number
  /** Empty if nothing is wrong; at most {@link FAULTS_MAX}, the first ones. */
  readonly faults: readonly Fault[]
}

export interface Fault {
  readonly volume: string | undefined
  readonly photoId: string | undefined
  /** In words. */
  readonly problem: string
}

/** Bound on the faults in a report; the first ones show the kind of damage. */
export const FAULTS_MAX = 1000

export interface VerifyComponents {
  readonly directory: Pick<Directory, 'verify' | 'records'>
  readonly volumes: Pick<VolumeSet, 'volumes' | 'locate'>
}

/**
 * Compares log and directory: every volume's needles with its head, every row of the directory with its record, every live
 * photo with the needles that should hold its bytes. Reads only headers and footers of needles; the scrub reads their data.
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
    for (const problem of missingNeedles(photo, volumes)) {
      report(problem, { photoId: photo.id })
      if (faults.length === FAULTS_MAX) break
    }
  }
  return { needles, bytes, faults }
}

async function verifyVolume(
  volume: Volume,
  report: (problem: string) => void,
  signal: AbortSignal
): Promise<{ needles: number; bytes: number }> {
  // read together, before any await: an active volume keeps growing
  const { end, chain, holes } = volume
  let needles = 0
  let bytes = 0
  let found: Uint8Array = new Uint8Array(chain.byteLength)
  for await (const event of volume.scan(SUPERBLOCK_BYTES, Number.POSITIVE_INFINITY, end, end)) {
    signal.throwIfAborted()
    if (event.kind !== 'needle') continue // holes are reported below, or show as a different digest
    found = chainDigest(found, event.footer)
    needles++
    bytes += needleBytes(event.header.length)
  }
  for (const { from, to, reason } of holes) report(`bytes ${from} to ${to} are ${reason}`)
  if (holes.length === 0 && Buffer.compare(found, chain) !== 0)
    report('the chained digest of the needles differs from the head')
  return { needles, bytes }
}

function* missingNeedles(photo: Photo, volumes: Pick<VolumeSet, 'locate'>): Generator<string> {
  for (const blob of blobsOf(photo)) {
    for (let chunk = 0; chunk < needleCount(blob); chunk++) {
      if (locateBytes(volumes, dataIdentity(blob, chunk)) === undefined)
        yield `no intact copy of ${blob.part}, chunk ${chunk}, is here`
    }
  }
}
