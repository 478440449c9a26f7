import { defineConfig } from 'vitest/config'

const seconds = 1_000

/**
 * One project per level of the style guide's test table, named after its folder.
 *
 * @param limitMs - the longest that one test, and one hook, may take: for what hangs, so far above what the slowest machine needs
 */
function project(name: string, limitMs: number) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: limitMs,
      hookTimeout: limitMs,
      // whoever waits for something waits as long as the test may take, and then says for what
      expect: { poll: { timeout: 0.8 * limitMs } }
    }
  }
}

export default defineConfig({
  test: {
    // both of two cores: the tests wait for disks and processes half of the time
    maxWorkers: 2,
    projects: [
      project('unit', 90 * seconds),
      { test: { ...project('web', 90 * seconds).test, include: ['web/test/**/*.test.ts'] } },
      project('contract', 90 * seconds),
      project('integration', 300 * seconds),
      project('simulation', 600 * seconds),
      project('e2e', 600 * seconds),
      { test: { ...project('docker', 300 * seconds).test, globalSetup: 'test/docker/setup.ts' } }
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text-summary', 'html'],
      // of unit, contract and integration together, as `npm run coverage` runs them; they may only rise
      thresholds: { statements: 93, branches: 87, functions: 93, lines: 95 }
    }
  }
})
