import type { NodeId } from '../../src/domain/ids.js'
import type { SeededRandom } from '../support/seeded-random.js'
import type { SimulatedLinks } from '../support/simulated-links.js'

const DELAYS_MS = [[0.2, 2] as const, [1, 50] as const, [20, 300] as const]

/** Cuts some links between nodes. @returns which, in words */
export function cutLinks(random: SeededRandom, links: SimulatedLinks, ids: readonly NodeId[]): string {
  const shuffled = ids.map(id => ({ id, order: random.fraction() })).sort((a, b) => a.order - b.order)
  const [first, ...others] = shuffled.map(({ id }) => id) as [NodeId, ...NodeId[]]
  const kind = random.pick(['halves', 'one', 'one way', 'pair', 'bridge'])
  const odd = (_: NodeId, i: number): boolean => i % 2 === 1
  const even = (_: NodeId, i: number): boolean => i % 2 === 0
  const half = Math.floor(ids.length / 2) - 1
  if (kind === 'one') links.partition([first], others)
  else if (kind === 'one way') for (const other of others) links.cut(first, other)
  else if (kind === 'pair' && others[0] !== undefined) links.partition([first], [others[0]])
  else if (kind === 'bridge') links.partition(others.filter(even), others.filter(odd))
  else links.partition([first, ...others.slice(0, half)], others.slice(half))
  return `${kind} ${first} | ${others}`
}

/** Makes all links slower, faster, worse or better. @returns how, in words */
export function degradeLinks(random: SeededRandom, links: SimulatedLinks): string {
  const loss = random.pick([0, 0.1, 0.5, 1])
  const twice = random.pick([0, 0.2])
  const delayMs = random.pick(DELAYS_MS)
  const notifyLoss = Math.min(loss, 0.5)
  links.quality = { delayMs, notifyLoss, notifyTwice: twice, publishLoss: loss, publishTwice: twice }
  return `links lose ${loss} of all hints, repeat ${twice}, take ${delayMs} ms`
}
