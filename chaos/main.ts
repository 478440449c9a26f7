/*
 * `npm run chaos`: real nodes under composed faults. chaos/README.md says how runs are made, judged and replayed. The exit
 * code is 0 only where every run passed; 1: one failed; 2: of the command line; 3: none failed, but not all could be judged.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/core/clock.js'
import { systemRandom } from '../src/core/random.js'
import { HISTORY, judgeFile, recordingIn, runPlan, shrinkFile } from './campaign.js'
import { DRIVERS, NEMESES, WORKLOADS } from './catalogue.js'
import { HistoryFileError } from './history.js'
import type { Result, Verdict } from './judge.js'
import { MATRICES } from './matrix.js'
import type { Capability } from './nemeses/nemesis.js'
import { type Plan, PlanError, replayCommand, titleOf } from './plan.js'
import { problemLines } from './report-page.js'

const USAGE = `npm run chaos -- [--driver process|netns] [--nodes 3] [--workload mixed] [--nemesis kill+pause|none]
                 [--seconds 20] [--seed N] [--rate 100] [--out FOLDER]
npm run chaos -- --matrix smoke|ci [--out FOLDER]
npm run chaos -- --list
npm run chaos -- --judge FILE
npm run chaos -- --replay FILE [--times 10] [--out FOLDER]
npm run chaos -- --shrink FILE [--out FOLDER]`

/** Runs of one replay. */
const TIMES_MAX = 1_000

const EXIT_CODES: Readonly<Record<Result, number>> = { pass: 0, fail: 1, unknown: 3 }

const components = { clock: systemClock, say: (text: string) => process.stderr.write(`  ${text}\n`) }

try {
  process.exitCode = EXIT_CODES[await main()]
} catch (err) {
  if (!isUsersFault(err)) throw err
  process.stderr.write(`${err.message}\n\n${USAGE}\n`)
  process.exitCode = 2
}

/** @returns the worst of what was run */
async function main(): Promise<Result> {
  const { values } = parseArgs({
    options: {
      driver: { type: 'string', default: 'process' },
      nodes: { type: 'string', default: '3' },
      workload: { type: 'string', default: 'mixed' },
      nemesis: { type: 'string', default: 'kill' },
      seconds: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Math.floor(systemRandom.fraction() * 2 ** 32)) },
      rate: { type: 'string', default: '100' },
      out: { type: 'string', default: '.chaos' },
      matrix: { type: 'string' },
      judge: { type: 'string' },
      replay: { type: 'string' },
      shrink: { type: 'string' },
      times: { type: 'string', default: '10' },
      list: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' }
    }
  })
  const out = resolve(values.out)
  if (values.help === true) return say(USAGE)
  if (values.list === true) return listAll()
  if (values.judge !== undefined) return tell(judgeFile(values.judge, dirname(resolve(values.judge))))
  if (values.replay !== undefined) return replay(values.replay, Number(values.times), out)
  if (values.shrink !== undefined) return shrinkRun(values.shrink, out)
  if (values.matrix !== undefined) return runMatrix(values.matrix, Number(values.seed), out)
  const { driver, workload, nemesis } = values
  return run(
    {
      driver,
      nodes: Number(values.nodes),
      workload,
      nemeses: nemesis === 'none' ? [] : nemesis.split('+'),
      seconds: Number(values.seconds),
      seed: Number(values.seed),
      rate: Number(values.rate)
    },
    out
  )
}

async function run(plan: Plan, out: string): Promise<Result> {
  const folder = join(out, `${plan.workload}-${plan.nemeses.join('+') || 'none'}-${plan.driver}-${plan.seed}`)
  return tell(await runPlan(plan, folder, components), folder)
}

async function replay(path: string, times: number, out: string): Promise<Result> {
  if (!Number.isInteger(times) || times < 1 || times > TIMES_MAX)
    throw new PlanError(`--times must be a whole number from 1 to ${TIMES_MAX}`)
  const { plan, schedule } = recordingIn(path)
  const name = basename(dirname(resolve(path)))
  const results: Result[] = []
  for (let i = 1; i <= times; i++) {
    // another folder than that of the recording, which would be written over
    const folder = join(out, `${name}-again-${i}`)
    results.push(tell(await runPlan(plan, folder, components, schedule), folder))
  }
  const count = (result: Result): number => results.filter(each => each === result).length
  say(`of ${times} runs ${count('pass')} passed, ${count('fail')} failed, ${count('unknown')} could not be judged`)
  return worstOf(results)
}

async function shrinkRun(path: string, out: string): Promise<Result> {
  const name = basename(dirname(resolve(path)))
  const smallest = await shrinkFile(path, number => join(out, `${name}-smaller-${number}`), components)
  if (smallest !== undefined) return tell(judgeFile(join(smallest, HISTORY), smallest), smallest)
  say('the run does not fail when it is replayed; --replay says how often it does')
  return 'unknown'
}

/** Writes its table after each run, so that one that is cut short has said what it found. */
async function runMatrix(name: string, seed: number, out: string): Promise<Result> {
  const matrix = MATRICES.get(name)
  if (matrix === undefined)
    throw new PlanError(`no matrix is called ${name}; there are ${[...MATRICES.keys()].join(', ')}`)
  const needsOf = (names: readonly string[]) =>
    NEMESES.filter(each => names.includes(each.name)).map(({ needs }) => needs)
  const runs = matrix(seed, (name, nemeses) =>
    DRIVERS.some(driver => driver.name === name && driver.obstacle(needsOf(nemeses)) === undefined)
  )
  mkdirSync(out, { recursive: true })
  const rows: string[] = []
  const results: Result[] = []
  for (const [i, { plan, skipped }] of runs.entries()) {
    if (skipped !== undefined) rows.push(`skipped  ${titleOf(plan)}: ${skipped}`)
    else {
      const folder = join(out, `${name}-${String(i + 1).padStart(2, '0')}`)
      const verdict = await runPlan(plan, folder, components)
      results.push(tell(verdict, folder))
      rows.push(`${verdict.result.padEnd(7)}  ${titleOf(plan)}: ${summary(verdict)}`)
    }
    writeFileSync(join(out, `${name}.txt`), `${rows.join('\n')}\n`)
  }
  say(rows.join('\n'))
  const passed = results.filter(result => result === 'pass').length
  say(`${passed} passed, ${results.length - passed} did not, ${runs.length - results.length} skipped`)
  return worstOf(results)
}

/** Where nothing was run, nothing is known. */
function worstOf(results: readonly Result[]): Result {
  if (results.includes('fail')) return 'fail'
  return results.length === 0 || results.includes('unknown') ? 'unknown' : 'pass'
}

function tell(verdict: Verdict, folder?: string): Result {
  say(`${verdict.result}: ${titleOf(verdict.plan)}`)
  for (const line of problemLines(verdict)) say(`  ${line}`)
  for (const line of verdict.obstacles) say(`  could not judge: ${line}`)
  say(`  ${summary(verdict)}`)
  if (folder !== undefined) say(`  ${join(folder, 'report.html')}`)
  if (verdict.result !== 'pass' && folder !== undefined) say(`  ${replayCommand(join(folder, HISTORY))}`)
  return verdict.result
}

function summary({ figures }: Verdict): string {
  const { operations, operationsPerSecond, outcomes, convergenceMs, photosRead } = figures
  const agreed =
    convergenceMs === undefined ? 'no agreement' : `agreement after ${(convergenceMs / 1_000).toFixed(1)} s`
  const ends = `${outcomes.ok} ok, ${outcomes.failed} failed, ${outcomes.indeterminate} indeterminate`
  return `${operations} operations (${operationsPerSecond}/s): ${ends}; ${photosRead} photos read in the end; ${agreed}`
}

function listAll(): Result {
  for (const { name, about, obstacle } of DRIVERS) say(`driver    ${name.padEnd(17)} ${about}${notHere(obstacle([]))}`)
  for (const { name, about } of WORKLOADS) say(`workload  ${name.padEnd(17)} ${about}`)
  for (const { name, about, needs } of NEMESES)
    say(`nemesis   ${name.padEnd(17)} ${about} (needs: ${needs})${notHere(obstacleTo(needs))}`)
  return say(`matrix    ${[...MATRICES.keys()].join(', ')}`)
}

/** @returns why none of the drivers that can do it can do it here; undefined when one can */
function obstacleTo(deed: Capability): string | undefined {
  const obstacles = DRIVERS.filter(({ can }) => can.includes(deed)).map(driver => driver.obstacle([deed]))
  return obstacles.includes(undefined) ? undefined : obstacles.join('; ')
}

function notHere(obstacle: string | undefined): string {
  return obstacle === undefined ? '' : ` (not here: ${obstacle})`
}

function say(text: string): Result {
  process.stdout.write(`${text}\n`)
  return 'pass'
}

function isUsersFault(err: unknown): err is Error {
  const isOfOptions = err instanceof TypeError && 'code' in err && String(err.code).startsWith('ERR_PARSE_ARGS')
  const isOfFile = err instanceof Error && 'code' in err && err.code === 'ENOENT'
  return err instanceof PlanError || err instanceof HistoryFileError || isOfOptions || isOfFile
}
