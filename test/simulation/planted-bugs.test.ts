import { spawn } from 'node:child_process'
import { cp, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { type CatchingTest, PLANTED_BUGS, type PlantedBug } from './planted-bugs.js'
import type { SimulationName } from './simulate.js'

const ROOT = resolve(import.meta.dirname, '../..')
/** Runs that a bug may survive. */
const SEEDS_MAX = 600

/** A copy of the sources with the bug in it. */
async function plant({ edits }: PlantedBug): Promise<string> {
  const folder = await temporaryDirectory()
  for (const part of ['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'])
    await cp(join(ROOT, part), join(folder, part), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const { file, find, replace } of edits) {
    const text = await readFile(join(folder, file), 'utf8')
    expect(text.split(find), `"${find}" stands once in ${file}`).toHaveLength(2)
    await writeFile(
      join(folder, file),
      text.replace(find, () => replace)
    )
  }
  return folder
}

/** @returns what the simulation said until it found something wrong; empty when it found nothing */
function simulate(folder: string, simulation: SimulationName): Promise<string> {
  const seeds = ['1', String(SEEDS_MAX), '--stop']
  return failureOf(folder, ['--import', 'tsx', 'test/simulation/run-seeds.ts', simulation, ...seeds])
}

/** @returns what the test said; empty when it passed, or was not found */
function runTest(folder: string, { file, name }: CatchingTest): Promise<string> {
  const only = ['--testNamePattern', `^${name}$`, '--passWithNoTests']
  return failureOf(folder, ['node_modules/vitest/vitest.mjs', 'run', file, ...only])
}

/** @returns what the program wrote; empty when it succeeded */
async function failureOf(folder: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, args, { cwd: folder })
  let output = ''
  child.stdout.on('data', piece => {
    output += piece
  })
  child.stderr.on('data', piece => {
    output += piece
  })
  const code = await new Promise(done => child.on('exit', done))
  return code === 0 ? '' : output
}

// Costs minutes: with `npm run test:sim` only, which sets SIM_RUNS.
describe.runIf(process.env.SIM_RUNS !== undefined)('planted bugs are caught:', () => {
  test.each(PLANTED_BUGS)('$name', async bug => {
    const { caughtBy } = bug
    const folder = await plant(bug)
    if (typeof caughtBy === 'string') expect(await simulate(folder, caughtBy)).toMatch(/seed \d+: /)
    else expect(await runTest(folder, caughtBy)).toMatch(/FAIL .*\n.*(timed out|AssertionError)/)
  })
})
