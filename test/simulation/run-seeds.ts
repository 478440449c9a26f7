/*
 * `npm run sim -- node|cluster|slow|upgrade|similarity FIRST COUNT`: runs that many seeds from the first one on, a process for each core,
 * says what was wrong under which, and exits 1 if anything was.
 *
 *   --steps N        steps of a run instead of the usual number
 *   --shards N       processes; default: one for each core
 *   --ledger FILE    keeps what each seed came to, one JSON line each, and passes over those that the same code has run
 *                    already: what was interrupted is taken up again
 *   --stop           ends at the first that fails
 *
 * With `SIM_TRACE=1` the whole story of a failure is told, not its end only.
 */
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/core/clock.js'
import type { SeedResult } from './seed-shard.js'
import { SIMULATIONS } from './simulate.js'

interface LedgerLine extends SeedResult {
  readonly simulation: string
  readonly steps: number | undefined
  /** Digest of all code that takes part. */
  readonly code: string
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string' },
    shards: { type: 'string' },
    ledger: { type: 'string' },
    stop: { type: 'boolean', default: false }
  }
})
const [simulation = '', first = '1', count = '100'] = positionals
const numbers = [first, count, values.steps, values.shards].filter(text => text !== undefined)
if (!Object.hasOwn(SIMULATIONS, simulation) || numbers.some(text => !/^\d+$/.test(text) || Number(text) < 1)) {
  console.error(`usage: npm run sim -- ${Object.keys(SIMULATIONS).join('|')} FIRST COUNT [--steps N] [--shards N]
       [--ledger FILE] [--stop]`)
  process.exit(2)
}
const steps = values.steps === undefined ? undefined : Number(values.steps)
const code = digestOfCode()
const seen = seedsOf(values.ledger)
const seeds = Array.from({ length: Number(count) }, (_, i) => Number(first) + i).filter(seed => !seen.has(seed))
const found = { passed: seen.size, failed: 0 }
const failed: number[] = []
const startedMs = systemClock.monotonic()

await Promise.all(Array.from({ length: Number(values.shards ?? availableParallelism()) }, runShard))

const seconds = ((systemClock.monotonic() - startedMs) / 1_000).toFixed(0)
const before = seen.size > 0 ? `, ${seen.size} of them before` : ''
console.log(
  `${simulation}: ${found.passed} of ${Number(count)} seeds passed${before}, ${found.failed} failed, ${seconds} s`
)
if (failed.length > 0) console.log(`failed: ${failed.sort((a, b) => a - b).join(' ')}`)
process.exitCode = found.failed > 0 ? 1 : 0

/** One process that runs seed after seed, until none is left. */
async function runShard(): Promise<void> {
  if (seeds.length === 0) return
  const shard = fork(fileURLToPath(new URL('./seed-shard.ts', import.meta.url)), [simulation, String(steps ?? '')])
  const exit = once(shard, 'exit').then(([status]) => `its process ended (${String(status)})`)
  for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
    const from = systemClock.monotonic()
    shard.send(seed)
    const answer = await Promise.race([once(shard, 'message').then(([result]) => result as SeedResult), exit])
    const ended = typeof answer === 'string'
    note(ended ? { seed, ms: Math.round(systemClock.monotonic() - from), problem: `seed ${seed}: ${answer}` } : answer)
    if (ended) return runShard()
  }
  shard.disconnect()
  await exit
}

function note(result: SeedResult): void {
  const { seed, problem } = result
  const line: LedgerLine = { simulation, steps, code, ...result }
  if (values.ledger !== undefined) appendFileSync(values.ledger, `${JSON.stringify(line)}\n`)
  if (problem === undefined) {
    found.passed++
    return
  }
  found.failed++
  failed.push(seed)
  console.log(problem)
  if (values.stop) seeds.length = 0
}

/** @returns those that passed already under the same code: one that failed is run again */
function seedsOf(ledger: string | undefined): ReadonlySet<number> {
  if (ledger === undefined || !existsSync(ledger)) return new Set()
  const lines = readFileSync(ledger, 'utf8').split('\n').filter(Boolean)
  const last = Number(first) + Number(count) - 1
  return new Set(
    lines
      .map(text => JSON.parse(text) as LedgerLine)
      .filter(line => line.simulation === simulation && line.steps === steps && line.code === code)
      .filter(({ seed, problem }) => problem === undefined && seed >= Number(first) && seed <= last)
      .map(({ seed }) => seed)
  )
}

function digestOfCode(): string {
  const digest = createHash('sha256')
  for (const folder of ['../../src', '.', '../support']) {
    const path = fileURLToPath(new URL(folder, import.meta.url))
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
    for (const name of names.sort()) digest.update(`${folder}/${name}\0`).update(readFileSync(join(path, name)))
  }
  return digest.digest('hex').slice(0, 16)
}
