import { afterEach, describe, expect, it } from 'vitest'
import { killAllNodes, temporaryFolder } from '../support/node-process.js'
import { announceSeed } from '../support/photo-maker.js'
import { KillRounds, ROUNDS } from './crash/kill-rounds.js'

/** `KILLS=1000 npm run test:e2e -- kill` goes on for longer. */
const KILL_COUNT = Number(process.env.KILLS ?? 20)
const KILL_MS_MAX = 12_000

afterEach(killAllNodes)

describe('kill -9 under load', () => {
  it(`loses nothing in ${KILL_COUNT} kills in a row`, { timeout: 60_000 + KILL_COUNT * KILL_MS_MAX }, async () => {
    const seed = announceSeed('kill')
    const folder = temporaryFolder('kill')
    const rounds = new KillRounds({ dataDir: folder.path, seed, log: line => process.stderr.write(`  ${line}\n`) })
    let killCount = 0
    for (let index = 0; killCount < KILL_COUNT; index++) {
      const plan = ROUNDS[index % ROUNDS.length]
      if (plan === undefined) throw new Error('there are no rounds')
      killCount += await rounds.round(plan)
    }
    await rounds.finish()
    expect(killCount).toBeGreaterThanOrEqual(KILL_COUNT)
    folder.remove()
  })
})
