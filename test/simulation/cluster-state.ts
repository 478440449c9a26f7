import type { Hlc } from '../../src/domain/hlc.js'
import type { VolumeId } from '../../src/domain/ids.js'
import { viewPhoto } from '../../src/domain/photo.js'
import type { Target } from './workload.js'

/**
 * Holds the nodes' directories and unretired volumes against each other.
 *
 * @param damaged - volumes with damage that no other copy can make good, perhaps
 * @returns what differs, in words; empty once they have converged
 */
export async function differencesOf(
  members: readonly Target[],
  damaged: ReadonlySet<VolumeId>
): Promise<readonly string[]> {
  const differences: string[] = []
  const digests = new Set(members.map(({ services }) => services.local.directory.digest()))
  if (digests.size > 1) differences.push(`${digests.size} directory digests`)
  const retired = new Set<string>()
  for await (const { id } of (members[0] as Target).services.local.directory.records('volume')) retired.add(id)
  const states = new Map<VolumeId, Set<string>>()
  for (const { services } of members) {
    for (const { id } of services.local.volumes.volumes()) if (!retired.has(id)) states.set(id, new Set())
  }
  for (const [id, found] of states) {
    const mayHaveHoles = damaged.has(id)
    for (const { name, services } of members) {
      const volume = services.local.volumes.get(id)
      const holes = volume?.holes.map(({ from, to }) => `${from}-${to}`).join() ?? ''
      if (holes !== '' && !mayHaveHoles) differences.push(`${id} at ${name} has holes ${holes}`)
      const digest = mayHaveHoles ? holes : Buffer.from(volume?.chain ?? []).toString('hex')
      found.add(volume === undefined ? 'absent' : `${volume.end} ${digest}`)
    }
    if (found.size > 1) differences.push(`${id} is ${[...found].join(' and ')}`)
  }
  return differences
}

/** @returns deletes up to a stamp that some node still remembers, without those that are to be kept for ever */
export async function tombstonesOf(members: readonly Target[], to: Hlc): Promise<readonly string[]> {
  const left: string[] = []
  for (const { name, services } of members) {
    for await (const { key } of services.local.directory.forgetting.tombstones(to)) {
      const stored = services.local.directory.getSync(key)
      const isKept = stored && (await services.cluster?.rounds.isUnproven(viewPhoto(stored.record)))
      if (isKept !== true) left.push(`${key.id} at ${name}`)
    }
  }
  return left
}
