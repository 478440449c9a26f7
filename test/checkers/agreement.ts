/** A volume's copy on a node. */
export interface CopyState {
  readonly id: string
  /** Length and digest of what it holds, as text. */
  readonly content: string
  /** Its damaged ranges, as text; empty when it has none. */
  readonly holes: string
}

export interface ReplicaState {
  readonly name: string
  readonly directoryDigest: string
  readonly volumes: readonly CopyState[]
}

export interface Exceptions {
  /** Volumes that may differ: what they held is elsewhere. */
  readonly retired: ReadonlySet<string>
  /** Volumes with damage that no other copy can make good, perhaps: their holes need only be the same. */
  readonly damaged: ReadonlySet<string>
}

const NONE: Exceptions = { retired: new Set(), damaged: new Set() }

/**
 * Holds the directories and volumes of all nodes against each other.
 *
 * @returns what differs, in words; empty once they have converged
 */
export function differencesBetween(
  replicas: readonly ReplicaState[],
  { retired, damaged }: Exceptions = NONE
): readonly string[] {
  const differences: string[] = []
  const digests = new Set(replicas.map(({ directoryDigest }) => directoryDigest))
  if (digests.size > 1) differences.push(`${digests.size} directory digests`)
  const ids = new Set(replicas.flatMap(({ volumes }) => volumes.map(({ id }) => id)))
  for (const id of ids) {
    if (retired.has(id)) continue
    const found = new Set<string>()
    for (const { name, volumes } of replicas) {
      const copy = volumes.find(volume => volume.id === id)
      const { content = 'absent', holes = '' } = copy ?? {}
      if (holes !== '' && !damaged.has(id)) differences.push(`${id} at ${name} has holes ${holes}`)
      found.add(damaged.has(id) && copy !== undefined ? `damaged ${content.split(' ')[0]} ${holes}` : content)
    }
    if (found.size > 1) differences.push(`${id} is ${[...found].join(' and ')}`)
  }
  return differences
}
