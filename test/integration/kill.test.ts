import { afterEach, describe, expect, it } from 'vitest'
import { KillRounds, ROUNDS } from '../e2e/crash/kill-rounds.js'
import { killAllNodes, temporaryFolder } from '../support/node-process.js'
import { announceSeed } from '../support/photo-maker.js'

afterEach(killAllNodes)

describe('kill -9 under load', () => {
  it('loses nothing in 8 kills in a row', { timeout: 100_000 }, async () => {
    const seed = announceSeed('kill')
    const folder = temporaryFolder('kill')
    const rounds = new KillRounds({ dataDir: folder.path, seed, log: line => process.stderr.write(`  ${line}\n`) })
    let killCount = 0
    for (const plan of ROUNDS.slice(0, 7)) killCount += await rounds.round(plan)
    await rounds.finish()
    expect(killCount).toBe(8)
    folder.remove()
  })
})
