import type { Clock } from '../src/core/clock.js'
import type { ClusterNode } from './drivers/cluster-node.js'
import type { Line } from './history.js'
import type { People } from './people.js'
import { carryOut } from './requests.js'

/** Until all nodes find all that lives, once they agree. */
const SETTLING_MS_MAX = 90_000
const LOOK_MS = 500
const DEADLINE_MS = 5_000

export interface FinishComponents {
  readonly clock: Clock
  readonly record: (line: Line) => void
  /** Milliseconds since the run began. */
  readonly now: () => number
  /** Undefined: there are no accounts. */
  readonly people: People | undefined
}

/** Searches every node until it finds exactly what it lists, or should have long ago. */
export async function searchAll(nodes: readonly ClusterNode[], components: FinishComponents): Promise<void> {
  await Promise.all(nodes.map(node => searchNode(node, components)))
}

async function searchNode({ name, client }: ClusterNode, { clock, record, now }: FinishComponents): Promise<void> {
  const listed = (await client.list()).photos.map(({ photo_id: id }) => id).sort()
  const from = clock.monotonic()
  let before = ''
  do {
    const { status, told = {} } = await carryOut(
      { client, clock, operatorToken: () => undefined },
      { kind: 'search', words: 'photo' },
      DEADLINE_MS
    )
    const found = [...(told.photos ?? [])].sort()
    const answer = JSON.stringify([status, told.coverage, found])
    // what is said again and again is written down once
    if (answer !== before) record({ type: 'searched', atMs: now(), node: name, status: status ?? 0, ...told })
    before = answer
    if (told.coverage === 1 && JSON.stringify(found) === JSON.stringify(listed)) return
    await clock.sleep(LOOK_MS)
  } while (clock.monotonic() - from < SETTLING_MS_MAX)
}
