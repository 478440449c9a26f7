import type { PhotoId, VolumeId } from '../../src/domain/ids.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import type { SeededRandom } from '../support/seeded-random.js'
import { holdsBytes, holdsPhoto, type Member } from './cluster-member.js'
import type { PhotoHistory, Write } from './photo-history.js'
import { photosHit } from './photos-hit.js'
import type { Workload } from './workload.js'

/** A bit that was flipped. */
interface Flip {
  readonly member: Member
  readonly volume: VolumeId
  /** Whose needle was hit, if any; of graves, those of all of them. */
  readonly photos: readonly PhotoId[]
}

export interface DiskNemesisComponents {
  readonly random: SeededRandom
  readonly workload: Workload
  readonly members: readonly Member[]
  readonly note: (line: string) => void
}

/** Disks that are lost, put back from a backup, damaged, or refuse; and what of the photos that may cost. */
export class DiskNemesis {
  readonly #components: DiskNemesisComponents
  readonly #flips: Flip[] = []
  readonly #damagedVolumes = new Set<VolumeId>()

  constructor(components: DiskNemesisComponents) {
    this.#components = components
  }

  /** Volumes with damage that no other copy can make good, perhaps. */
  get damagedVolumes(): ReadonlySet<VolumeId> {
    return this.#damagedVolumes
  }

  /** @returns photos of which a bit has flipped on the node's disk */
  damagedAt(member: Member): ReadonlySet<PhotoId> {
    return new Set(this.#flips.flatMap(flip => (flip.member === member ? flip.photos : [])))
  }

  /** Whether a bit has flipped on the node's disk. */
  isDamaged(member: Member): boolean {
    return this.#flips.some(flip => flip.member === member)
  }

  /** A node that does not run comes back with an empty disk, or with what an old backup holds. */
  replaceDisk(): void {
    const member = this.#pick(({ node }) => !node.running)
    if (member !== undefined) this.#replaceDisk(member)
  }

  /** A node that does not run comes back with an empty disk. */
  loseDisk(member: Member): void {
    member.backup = undefined
    this.#replaceDisk(member)
  }

  #replaceDisk(member: Member): void {
    const { workload, note } = this.#components
    const { backup } = member
    note(`${member.name} gets ${backup === undefined ? 'an empty disk' : 'an old disk'}`)
    for (const history of workload.histories) this.#loseDisk(member, history)
    for (const flip of this.#flips) if (flip.member !== member) this.#giveUp(flip)
    if (backup === undefined) member.node.wipe()
    else member.node.restore(backup.image)
  }

  /** A node has lost what was only in its memory: also what no disk had any more, and only it still knew. */
  loseMemory(member: Member): void {
    for (const history of this.#components.workload.histories) {
      for (const write of history.writes) this.#judgeLoss(member, history, write)
      this.#judgeBytes(member, history)
    }
  }

  backUp(): void {
    const { workload, note } = this.#components
    const member = this.#pick(({ node }) => node.running)
    if (member === undefined) return
    note(`${member.name} is backed up`)
    const writes = workload.histories.flatMap(history => history.writes.filter(({ node }) => node === member.name))
    const acknowledged = new Set(writes.filter(({ fate }) => fate === 'acknowledged'))
    member.backup = { image: member.node.backUp(), writes: acknowledged }
  }

  /** Damage below the surface of a volume, to one copy of each volume at most. */
  async flipBit(): Promise<void> {
    const { random, members, note } = this.#components
    const member = this.#pick(({ node }) => node.running && node.services.local.volumes.volumes().length > 0)
    if (member === undefined) return
    const { disk, services } = member.node
    const volume = random.pick(services.local.volumes.volumes())
    const { size } = disk.file(volume.path)
    if (size <= SUPERBLOCK_BYTES || this.#flips.some(flip => flip.volume === volume.id && flip.member !== member))
      return
    const position = SUPERBLOCK_BYTES + random.below(size - SUPERBLOCK_BYTES)
    note(`${member.name}: a bit of ${volume.id} flips at ${position}`)
    const photos = await photosHit(volume, position, size)
    const flip = { member, volume: volume.id, photos }
    this.#flips.push(flip)
    const others = members.filter(other => other !== member && other.node.running)
    if (!others.some(other => (other.services.local.volumes.get(volume.id)?.end ?? 0) > position)) this.#giveUp(flip)
    disk.flipBit(volume.path, position, random.below(8))
    member.faulty = true
  }

  plantFault(): void {
    const { random, note } = this.#components
    const member = this.#pick(({ node }) => node.running)
    if (member === undefined) return
    const operation = random.pick(['write', 'sync'] as const)
    const times = 1 + random.below(3)
    note(`${member.name}: the disk will fail to ${operation}, ${times} times`)
    member.node.disk.fail(operation, { times })
    member.faulty = true
  }

  /** What the loss of a node's disk may cost of a photo. */
  #loseDisk(member: Member, history: PhotoHistory): void {
    const kept = member.backup?.writes ?? new Set()
    for (const write of history.writes.filter(({ fate }) => fate === 'acknowledged')) {
      const isOwn = write.node === member.name
      if (isOwn ? kept.has(write) : write.copies === 1 && !this.#isForgotten(write)) continue
      if (isOwn) member.forgotten.add(write)
      write.copies--
      this.#judgeLoss(member, history, write)
    }
    const [birth] = history.writes
    if (history.id === undefined && birth?.node === member.name) history.orphaned = true
    this.#judgeBytes(member, history)
  }

  /** @param member - which has just lost what it had */
  #judgeLoss(member: Member, history: PhotoHistory, write: Write): void {
    if (write.fate !== 'acknowledged' || write.copies > 0) return
    if (!this.#isKnownElsewhere(member, history, write)) write.lost = true
  }

  /** @param member - which has just lost what it had */
  #judgeBytes(member: Member, history: PhotoHistory): void {
    const [birth] = history.writes
    // an upload that nobody was told of may be on the disk of the node alone that took it
    const wasHereAlone = birth?.fate !== 'acknowledged' && birth?.node === member.name
    const isCopied = birth !== undefined && birth.copies > 0 && !wasHereAlone
    if (history.id !== undefined && !isCopied && !this.#isHeldElsewhere(member, history)) {
      this.#components.workload.damaged.add(history.id)
    }
  }

  /** Perhaps no other copy can make this damage good. */
  #giveUp({ volume, photos }: Flip): void {
    this.#damagedVolumes.add(volume)
    for (const id of photos) this.#components.workload.damaged.add(id)
  }

  /** Whether the node that acknowledged a write has lost it with its disk. */
  #isForgotten(write: Write): boolean {
    return this.#components.members.some(({ forgotten }) => forgotten.has(write))
  }

  #isHeldElsewhere(member: Member, history: PhotoHistory): boolean {
    const { members, workload } = this.#components
    const others = members.filter(other => other !== member && other.node.running)
    const isLive = others.some(other => workload.isLive(other, history))
    return others.some(other => (isLive ? holdsBytes : holdsPhoto)(other, history, workload))
  }

  #isKnownElsewhere(member: Member, history: PhotoHistory, write: Write): boolean {
    return this.#components.members.some(other => {
      if (other === member || !other.node.running) return false
      const record = this.#components.workload.recordOf(other, history)
      return record !== undefined && record !== 'unavailable' && history.hasSeen(record, write)
    })
  }

  #pick(accept: (member: Member) => boolean): Member | undefined {
    const members = this.#components.members.filter(accept)
    return members.length === 0 ? undefined : this.#components.random.pick(members)
  }
}
