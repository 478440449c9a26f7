import type { PhotoId } from '../../src/domain/ids.js'
import type { ClusterLab, LabMember } from './cluster-lab.js'
import { DAY_MS, UNDO_MS } from './cluster-lab.js'

const MONTHS = 12
const UPLOADS_AT_ONCE = 256
const BATCH_IDS_MAX = 10_000
/** What the absent member does alone. */
const OWN_UPLOADS = 10
const OWN_EDITS = 10

export interface YearAwayInit {
  readonly photos: number
  readonly deletes: number
  /** Told what is done. */
  readonly note?: (line: string) => void
}

export interface YearAwayReport {
  /** What is deleted, and the absent member's own photos. */
  readonly deleted: readonly PhotoId[]
  readonly news: readonly PhotoId[]
  /** Of the deletes, those that the others had buried before the member was back; their bytes had gone. */
  readonly buriedMeanwhile: number
  readonly bytesLeftMeanwhile: number
  /** From the first link to equal digests on all, and to nothing that any of them lacks, simulated ms. */
  readonly digestMs: number
  readonly identicalMs: number
  /** CPU time of all nodes together from the first link to equal digests, ms. */
  readonly cpuMs: number
  readonly laidOut: number
  readonly isAlarming: boolean
}

/**
 * Of three members one is cut off for a year, in which it takes some photos and edits; the others delete and bury.
 *
 * @param lab - three nodes that are identical; afterwards as well
 */
export async function spendYearAway(lab: ClusterLab, init: YearAwayInit): Promise<YearAwayReport> {
  const { photos, deletes, note = () => {} } = init
  const [a, b, away] = lab.members as [LabMember, LabMember, LabMember]
  const ids = await uploadMany(lab, a, photos)
  await lab.converge(Number.POSITIVE_INFINITY)
  note(`${photos} photos are on all members`)
  lab.cutOff(away)
  const deleted = ids.filter((_, i) => Math.floor((i * deletes) / photos) !== Math.floor(((i + 1) * deletes) / photos))
  const news = await uploadMany(lab, away, OWN_UPLOADS)
  for (const id of deleted.slice(0, OWN_EDITS)) await lab.edit(away, id, 'edited far away')
  for (let at = 0; at < deletes; at += BATCH_IDS_MAX)
    await lab.until(a.services.photos.batchDelete(deleted.slice(at, at + BATCH_IDS_MAX)))
  await lab.pass(10_000)
  note(`${deletes} of them are deleted`)
  for (let month = 1; month <= MONTHS; month++) {
    await lab.leap(UNDO_MS)
    note(`month ${month}`)
  }
  await lab.leap(365 * DAY_MS - MONTHS * UNDO_MS)
  await lab.pass(30_000)
  const buried = deleted.filter(id => lab.isBuried(a, id) && lab.isBuried(b, id))
  const left = deleted.filter(id => lab.holdsBytes(a, id) || lab.holdsBytes(b, id))
  note(`${buried.length} of ${deletes} deletes are buried; the member is back`)
  const cpuBefore = process.cpuUsage()
  const start = lab.clock.monotonic()
  lab.network.links.heal()
  while (!lab.isSame() || !lab.knows(a, news[0] as PhotoId)) await lab.pass(200)
  const digestMs = lab.clock.monotonic() - start
  const { user, system } = process.cpuUsage(cpuBefore)
  await lab.converge(Number.POSITIVE_INFINITY)
  const { laidOut } = away.services.local
  return {
    deleted,
    news,
    buriedMeanwhile: buried.length,
    bytesLeftMeanwhile: left.length,
    digestMs,
    identicalMs: lab.clock.monotonic() - start,
    cpuMs: (user + system) / 1_000,
    laidOut: laidOut.size,
    isAlarming: laidOut.isAlarming
  }
}

async function uploadMany(lab: ClusterLab, member: LabMember, count: number): Promise<PhotoId[]> {
  const ids: PhotoId[] = []
  for (let at = 0; at < count; at += UPLOADS_AT_ONCE) {
    const numbers = Array.from({ length: Math.min(UPLOADS_AT_ONCE, count - at) }, (_, i) => at + i)
    ids.push(
      ...(await lab.uploadAll(
        member,
        numbers.map(number => `photo ${number} of ${member.id}`)
      ))
    )
  }
  return ids
}
