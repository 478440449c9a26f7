import type { PhotoId, VolumeId } from '../../src/domain/ids.js'
import { dataIdentity } from '../../src/store/photo-needles.js'
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
  const closed = members.filter(({ services }) => services.local.directory.state !== 'open')
  if (closed.length > 0) return closed.map(({ name, services }) => `${name} is ${services.local.directory.state}`)
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

/** @returns what is left of deleted photos besides their graves, in words; empty once all of it is gone */
export async function remainsOf(members: readonly Target[]): Promise<readonly string[]> {
  const left: string[] = []
  for (const { name, services } of members) {
    const { directory, volumes, laidOut } = services.local
    for await (const { id } of directory.deaths()) left.push(`${id} is not buried at ${name}`)
    for (const { key } of laidOut.list()) left.push(`${key.id} is laid out at ${name}`)
    for await (const { id, generation } of directory.graves()) {
      for (let life = 0; life <= generation; life++) {
        const original = dataIdentity({ id: id as PhotoId, generation: life, part: 'orig' }, 0)
        if (volumes.locate(original).length > 0) left.push(`bytes of ${id} are at ${name}`)
      }
    }
  }
  return left
}
