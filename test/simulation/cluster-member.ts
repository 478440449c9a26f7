import type { NodeId } from '../../src/domain/ids.js'
import { viewPhoto } from '../../src/domain/photo.js'
import { blobOf, dataIdentity, locateBytes, needleCount } from '../../src/store/photo-needles.js'
import type { MemoryBudgets, NodeBackup, SimulatedNode } from '../support/simulated-node.js'
import type { PhotoHistory, Write } from './photo-history.js'
import type { Target, Workload } from './workload.js'

/** A node with what the simulation knows about it. */
export interface Member extends Target {
  readonly id: NodeId
  readonly node: SimulatedNode
  /** An image of its disk, and the writes that it acknowledged until then. */
  backup: { readonly image: NodeBackup; readonly writes: ReadonlySet<Write> } | undefined
  /** Writes that it acknowledged on a disk that it no longer has. */
  readonly forgotten: Set<Write>
  /** Something is wrong with its disk, or was in this process. */
  faulty: boolean
  /** Of its process, or of the next one while it does not run. */
  memory: MemoryBudgets
  /** The record formats that it reads: those of this version, or the next one as well. */
  program: 'present' | 'next'
  /** The cluster has gone on to a format that its program does not read. */
  outdated: boolean
}

export function newMember(id: NodeId, node: SimulatedNode): Member {
  const member: Member = {
    name: id,
    id,
    node,
    backup: undefined,
    forgotten: new Set(),
    faulty: false,
    memory: {},
    program: 'present',
    outdated: false,
    clock: node.clock,
    get services() {
      return node.services
    },
    crowded: () => member.memory.uploads !== undefined,
    troubled: () => member.faulty || member.outdated
  }
  return member
}

/** Whether the node knows a photo, and has all needles of one that is not deleted on its disk. */
export function holdsPhoto(member: Member, history: PhotoHistory, workload: Workload): boolean {
  const seen = workload.seenAt(member, history)
  if (seen === 'unavailable') return false
  const isEnded = seen.ended !== undefined || (seen.record !== undefined && viewPhoto(seen.record).deleted)
  return isEnded || holdsBytes(member, history, workload)
}

/** Whether all needles of the photo are on the node's disk. */
export function holdsBytes(member: Member, history: PhotoHistory, workload: Workload): boolean {
  const record = workload.recordOf(member, history)
  if (record === undefined || record === 'unavailable') return false
  const photo = viewPhoto(record)
  const blob = blobOf(photo, 'orig')
  if (blob === undefined) return false
  const chunks = Array.from({ length: needleCount(blob) }, (_, chunk) => dataIdentity(blob, chunk))
  const { volumes } = member.services.local
  return chunks.every(identity => locateBytes(volumes, identity) !== undefined)
}
