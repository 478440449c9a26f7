import type { PhotoId, VolumeId } from '../../src/domain/ids.js'
import { dataIdentity } from '../../src/store/photo-needles.js'
import { differencesBetween } from '../checkers/agreement.js'
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
  const retired = new Set<string>()
  for await (const { id } of (members[0] as Target).services.local.directory.records('volume')) retired.add(id)
  const replicas = members.map(({ name, services }) => ({
    name,
    directoryDigest: services.local.directory.digest(),
    volumes: services.local.volumes.volumes().map(({ id, end, chain, holes }) => ({
      id,
      content: `${end} ${Buffer.from(chain ?? []).toString('hex')}`,
      holes: holes.map(({ from, to }) => `${from}-${to}`).join()
    }))
  }))
  return differencesBetween(replicas, { retired, damaged })
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
