import { afterEach, describe, expect, it } from 'vitest'
import { killAllNodes, temporaryFolder } from '../support/node-process.js'
import { announceSeed } from '../support/photo-maker.js'
import { KillRounds, ROUNDS } from './crash/kill-rounds.js'

const KILL_COUNT = 50

afterEach(killAllNodes)

describe('kill -9 under load', () => {
  it(`loses nothing in ${KILL_COUNT} kills in a row`, { timeout: 590_000 }, async () => {
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
