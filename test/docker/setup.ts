import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { REPOSITORY } from '../support/node-process.js'
import { CACHE, type Engine, environment, prepareEngine } from './engine.js'

const BASE = 'sheaf-test-base'
const BUILD_BASE = 'sheaf-test-build-base'
/** As the official image of Node has them. */
const COMPILERS = ['g++', 'make', 'python3']

/** Once before all files: an engine, base images and the image under test; the tests find them in the environment. */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  const say = (line: string): void => void process.stderr.write(`  ${line}\n`)
  let engine: Engine
  try {
    engine = await prepareEngine(say)
  } catch (err) {
    const reason = err instanceof Error ? err.message : String(err)
    process.stderr.write(`\n  SKIPPED, ALL TESTS OF CONTAINERS: ${reason}\n\n`)
    process.env.SHEAF_DOCKER_OBSTACLE = reason
    return undefined
  }
  const { docker, host } = engine
  // The tests and the scripts that they call find the engine here.
  Object.assign(process.env, environment(host), {
    DOCKER: docker,
    SHEAF_IMAGE: 'sheaf-test',
    SHEAF_PREFIX: 'sheaf-test'
  })
  // A key of whoever runs the tests would get into the containers.
  delete process.env.SHEAF_CLUSTER_KEY
  delete process.env.SHEAF_CLUSTER_KEY_FILE
  const run = (command: string, ...args: string[]): void => {
    execFileSync(command, args, { cwd: REPOSITORY, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const makeBase = join(REPOSITORY, 'test/docker/make-base')
  const timed = (what: string, work: () => void): void => {
    const start = performance.now()
    work()
    say(`${what} took ${((performance.now() - start) / 1_000).toFixed(1)} s`)
  }
  for (const [image, packages] of [
    [BASE, []],
    [BUILD_BASE, COMPILERS]
  ] as const) {
    if (!hasImage(docker, image)) timed(`making ${image}`, () => run(makeBase, CACHE, image, ...packages))
  }
  Object.assign(process.env, { SHEAF_TEST_BASE: BASE, SHEAF_TEST_BUILD_BASE: BUILD_BASE })
  timed('building the image', () => run('docker/build', ...buildArguments()))
  return async () => {
    // each build leaves the one before and its first stage behind
    if (engine.isOwn) run(docker, 'image', 'prune', '--force', '--filter', 'until=24h')
    await engine.stop()
  }
}

/** For `docker/build`: bases that need no registry. */
export function buildArguments(): string[] {
  return ['--build-arg', `BASE=${BASE}`, '--build-arg', `BUILD_BASE=${BUILD_BASE}`]
}

function hasImage(docker: string, image: string): boolean {
  try {
    execFileSync(docker, ['image', 'inspect', image], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
