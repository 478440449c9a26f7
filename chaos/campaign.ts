import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../src/core/clock.js'
import { killAllNodes, temporaryFolder } from '../test/support/node-process.js'
import { scenarioOf } from './catalogue.js'
import { HistoryFileError, type Line, parseHistory } from './history.js'
import { judge, type Verdict } from './judge.js'
import { type Plan, PlanError } from './plan.js'
import { reportPage } from './report-page.js'
import { CALM_MS, carryOutPlan, DEADLINE_MS } from './run.js'
import { type Schedule, scheduleOf } from './schedule.js'
import { type Recording, shrink } from './shrink.js'

/** What a run leaves, in its folder. */
export const HISTORY = 'history.jsonl'

export interface CampaignComponents {
  readonly clock: Clock
  readonly say: (text: string) => void
}

/**
 * Carries out a plan and judges its history.
 *
 * @param folder - where `history.jsonl`, logs, `verdict.json` and `report.html` go; it is made, and what it has of an earlier
 * run is replaced
 * @param schedule - what to ask and to do; default: what the seed draws
 * @throws `PlanError`
 */
export async function runPlan(
  plan: Plan,
  folder: string,
  { clock, say }: CampaignComponents,
  schedule?: Schedule
): Promise<Verdict> {
  const scenario = scenarioOf(plan)
  const obstacle = scenario.driver.obstacle(scenario.nemeses.map(({ needs }) => needs))
  if (obstacle !== undefined) throw new PlanError(`the driver ${plan.driver} cannot do that here: ${obstacle}`)
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) if (name.endsWith('.log')) rmSync(join(folder, name))
  const data = temporaryFolder('chaos')
  const path = join(folder, HISTORY)
  const file = openSync(path, 'w')
  const record = (line: Line): void => void writeSync(file, `${JSON.stringify(line)}\n`)
  const keepLog = (node: string, text: string): void => appendFileSync(join(folder, `${node}.log`), text)
  // the clock's timers do not keep this process alive, and there may be no node for a while
  const alive = setInterval(() => {}, 60_000)
  try {
    await carryOutPlan(plan, { ...scenario, clock, record, keepLog, say, folder: data.path, schedule })
  } finally {
    clearInterval(alive)
    await killAllNodes()
    closeSync(file)
    data.remove()
  }
  return judgeFile(path, folder)
}

/**
 * Judges a recorded history, and writes the verdict and its report.
 *
 * @throws `HistoryFileError`, `PlanError`
 */
export function judgeFile(path: string, folder: string): Verdict {
  const lines = parseHistory(readFileSync(path, 'utf8'))
  const verdict = verdictOf(lines)
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify(verdict, null, 2)}\n`)
  writeFileSync(join(folder, 'report.html'), reportPage(verdict, lines, path))
  return verdict
}

/** @throws `HistoryFileError` */
export function recordingIn(path: string): Recording {
  const lines = parseHistory(readFileSync(path, 'utf8'))
  return { plan: planOf(lines), schedule: scheduleOf(lines) }
}

/** How long a failing run may be made smaller. */
const SHRINKING_MS_MAX = 20 * 60_000

/**
 * Makes a failing run smaller. Each try leaves a folder.
 *
 * @param folderOf - of a try, by its number
 * @returns where the smallest run that fails for the same reason lies; undefined when the recorded one does not fail again
 * @throws `HistoryFileError`, `PlanError`
 */
export async function shrinkFile(
  path: string,
  folderOf: (number: number) => string,
  components: CampaignComponents
): Promise<string | undefined> {
  const lines = parseHistory(readFileSync(path, 'utf8'))
  const plan = planOf(lines)
  const { problems } = verdictOf(lines)
  const checkers = new Set(problems.map(({ checker }) => checker))
  if (checkers.size === 0) throw new PlanError('this run did not fail, so there is nothing to make smaller')
  let smallest: string | undefined
  let tries = 0
  await shrink(
    { plan, schedule: scheduleOf(lines) },
    {
      clock: components.clock,
      msMax: SHRINKING_MS_MAX,
      calmMs: CALM_MS,
      async fails({ plan: smaller, schedule }) {
        const folder = folderOf(++tries)
        const { problems: found } = await runPlan(smaller, folder, components, schedule)
        const isSame = found.some(({ checker }) => checkers.has(checker))
        const { operations, faults } = schedule
        components.say(
          `${operations.length} operations, ${faults.length} faults: ${isSame ? 'fails' : 'does not fail so'}`
        )
        if (isSame) smallest = folder
        return isSame
      }
    }
  )
  return smallest
}

function planOf([first]: readonly Line[]): Plan {
  const plan = first?.type === 'run' ? first.plan : undefined
  if (!Array.isArray(plan?.nemeses)) throw new HistoryFileError('line 1: this is no plan of a run')
  return plan
}

function verdictOf(lines: readonly Line[]): Verdict {
  const plan = planOf(lines)
  return judge(lines, plan, { deadlineMs: DEADLINE_MS, reaches: scenarioOf(plan).reaches })
}
