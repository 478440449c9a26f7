import type { SeededRandom } from '../../test/support/seeded-random.js'
import type { Nemesis, Stage } from './nemesis.js'

const SECOND = 1_000
const HOUR = 3_600 * SECOND
const DAY = 24 * HOUR
const YEAR = 365 * DAY
/** From what nobody notices to what no clock should show; a minute is what stamps of others may be ahead. */
const JUMPS_MS = [5, SECOND / 2, 30 * SECOND, 90 * SECOND, HOUR, DAY, YEAR, 30 * YEAR]
/** Half as far to one and a half times as far. */
const LEAST = 0.5

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [YEAR, 'years'],
  [DAY, 'days'],
  [HOUR, 'h'],
  [SECOND, 's']
]

const USUAL = { restMs: [1_000, 3_000], holdMs: [3_000, 8_000] } as const
/** As fast as the processes see it. */
const RESTLESS = { restMs: [0, 500], holdMs: [0, 500] } as const

export const clock = disorder('clock', 'the clock of one node jumps, by ms to years, and back', USUAL, setRight)

export const clockStrobe = disorder(
  'clock-strobe',
  'the clock of one node jumps to and fro, every second or two',
  RESTLESS,
  setRight
)

export const clockRestart = disorder(
  'clock-restart',
  'the clock of one node jumps, and is right again when it has been stopped and started',
  USUAL,
  async (stage, node) => {
    await stage.stop(node)
    await stage.setClock(node, 0)
    await stage.start([node])
  }
)

function disorder(
  name: string,
  about: string,
  pace: Pick<Nemesis, 'restMs' | 'holdMs'>,
  end: (stage: Stage, node: string) => Promise<void>
): Nemesis {
  return {
    name,
    about,
    ...pace,
    needs: 'clock',
    reaches: ['clockJumps'],
    async begin(stage, random) {
      const free = stage.free()
      if (free.length === 0) return undefined
      const node = random.pick(free)
      const offsetMs = jump(random)
      await stage.setClock(node, offsetMs)
      return { what: `${node} ${inWords(offsetMs)}`, end: () => end(stage, node) }
    }
  }
}

function setRight(stage: Stage, node: string): Promise<void> {
  return stage.setClock(node, 0)
}

function jump(random: SeededRandom): number {
  const ms = Math.round(random.pick(JUMPS_MS) * (LEAST + random.fraction()))
  return random.chance(0.5) ? ms : -ms
}

function inWords(ms: number): string {
  const [unit, name] = UNITS.find(([unit]) => Math.abs(ms) >= unit) ?? [1, 'ms']
  return `${ms < 0 ? '−' : '+'}${Math.round((Math.abs(ms) / unit) * 10) / 10} ${name}`
}
