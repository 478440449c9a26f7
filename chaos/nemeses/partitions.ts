import type { SeededRandom } from '../../test/support/seeded-random.js'
import { type Cut, type Nemesis, shuffled } from './nemesis.js'

const USUAL = { restMs: [1_000, 3_000], holdMs: [3_000, 8_000] } as const
/** Shorter than it takes to notice that somebody is gone. */
const RESTLESS = { restMs: [300, 1_000], holdMs: [500, 1_500] } as const

interface Parted {
  readonly what: string
  readonly cut: Cut
}

/** Two halves, the first the smaller one, that do not hear each other. */
export const halves = partition('partition-halves', 'two halves do not hear each other', USUAL, inHalves)

export const one = partition(
  'partition-one',
  'one node and all others do not hear each other',
  USUAL,
  (random, nodes) => {
    const [alone = '', ...others] = shuffled(random, nodes)
    return { what: `${alone} | ${others.join(' ')}`, cut: between([alone], others) }
  }
)

export const oneWay = partition('one-way', 'nothing that one node says gets to the others', USUAL, (random, nodes) => {
  const [mute = '', ...others] = shuffled(random, nodes)
  return { what: `${mute} is not heard by ${others.join(' ')}`, cut: others.map(other => [mute, other] as const) }
})

export const bridge = partition(
  'bridge',
  'two halves hear each other only through one node',
  USUAL,
  (random, nodes) => {
    const [middle = '', ...others] = shuffled(random, nodes)
    const half = Math.ceil(others.length / 2)
    const [left, right] = [others.slice(0, half), others.slice(half)]
    return { what: `${left.join(' ')} | ${middle} | ${right.join(' ')}`, cut: between(left, right) }
  }
)

export const flapping = partition(
  'flapping',
  'two halves part and meet several times a second or two',
  RESTLESS,
  inHalves
)

function partition(
  name: string,
  about: string,
  pace: Pick<Nemesis, 'restMs' | 'holdMs'>,
  part: (random: SeededRandom, nodes: readonly string[]) => Parted
): Nemesis {
  return {
    name,
    about,
    ...pace,
    needs: 'cut',
    reaches: ['packetsDropped'],
    async begin(stage, random) {
      const parted = part(random, stage.nodes)
      await stage.cut(name, parted.cut)
      return { ...parted, end: () => stage.heal(name) }
    }
  }
}

function inHalves(random: SeededRandom, nodes: readonly string[]): Parted {
  const mixed = shuffled(random, nodes)
  const half = Math.floor(mixed.length / 2)
  const [left, right] = [mixed.slice(0, half), mixed.slice(half)]
  return { what: `${left.join(' ')} | ${right.join(' ')}`, cut: between(left, right) }
}

/** Both ways between all of one side and all of the other. */
function between(left: readonly string[], right: readonly string[]): Cut {
  return left.flatMap(a => right.flatMap(b => [[a, b] as const, [b, a] as const]))
}
