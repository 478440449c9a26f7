import type { NodeId, VolumeId } from './ids.js'

/**
 * Which members keep a copy of a volume: all of them. The only place that decides it; everything that ships, repairs,
 * counts or drops copies calls this function.
 *
 * @returns the nodes, sorted and unique
 */
export function placement(_volume: VolumeId, members: readonly NodeId[]): readonly NodeId[] {
  return [...new Set(members)].sort()
}
