import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import { Age } from '../../../src/store/age.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { MemoryDatabaseSource } from '../directory/memory-database.js'

const HOUR_MS = 3_600_000

/** The processes of a node, one after the other. */
class Processes {
  readonly clock = new SimulatedClock()
  source = new MemoryDatabaseSource()
  directory!: Directory
  age!: Age

  async start(): Promise<Age> {
    this.directory = new Directory({ database: this.source, log: silentLog, observe: () => {} })
    await this.directory.start()
    this.age = new Age({ clock: this.clock, directory: this.directory, log: silentLog })
    await this.age.load()
    await this.age.start()
    return this.age
  }

  async stop(): Promise<void> {
    await this.age.stop()
    await this.directory.stop()
  }
}

async function started(): Promise<Processes> {
  const node = new Processes()
  await node.start()
  onTestFinished(() => node.stop())
  return node
}

test('a node grows older while it runs, over all its processes, and not while it is down; but its last round is so long ago', async () => {
  const node = await started()
  expect([node.age.now(), node.age.roundAt]).toEqual([0, undefined])
  await node.clock.advance(HOUR_MS)
  expect(node.age.now()).toBe(HOUR_MS)
  node.age.noteRound()
  await node.clock.advance(1_500)
  await node.stop()
  await node.clock.advance(30 * HOUR_MS)
  await node.start()
  expect([node.age.now(), node.age.roundAt]).toEqual([HOUR_MS + 1_500, HOUR_MS - 30 * HOUR_MS])
  await node.clock.advance(HOUR_MS)
  expect(node.age.now()).toBe(2 * HOUR_MS + 1_500)
})

test('a process that is killed loses a minute at most', async () => {
  const node = await started()
  await node.clock.advance(HOUR_MS + 59_000)
  await node.directory.stop() // without a word from the age
  await node.age.stop()
  await node.start()
  expect(node.age.now()).toBeGreaterThanOrEqual(HOUR_MS)
  expect(node.age.now()).toBeLessThanOrEqual(HOUR_MS + 59_000)
})

test.each([
  ['forward', 73 * 365 * 24 * HOUR_MS],
  ['a little', 61_000],
  ['back', -20 * HOUR_MS]
])('time during which the wall clock was set %s counts as none, and the age never falls', async (_how, jumpMs) => {
  const node = await started()
  await node.clock.advance(HOUR_MS)
  const before = node.age.now()
  node.clock.setWall(node.clock.now() + jumpMs)
  await node.clock.advance(1_000)
  expect(node.age.now()).toBe(before)
  await node.clock.advance(1_000)
  expect(node.age.now()).toBe(before + 1_000)
})

test('a clock that is corrected by less than a minute is believed', async () => {
  const node = await started()
  node.clock.setWall(node.clock.now() + 59_000)
  await node.clock.advance(5_000)
  expect(node.age.now()).toBe(5_000)
})

test('what was lost with the directory begins anew', async () => {
  const node = await started()
  await node.clock.advance(HOUR_MS)
  node.age.noteRound()
  await node.stop()
  node.source = new MemoryDatabaseSource()
  await node.start()
  expect([node.age.now(), node.age.roundAt]).toEqual([0, undefined])
})

test('nothing is written while nothing has changed', async () => {
  const node = await started()
  await node.clock.advance(120_000)
  await node.stop()
  await node.start()
  const rows = await (await node.source.open()).iterator({ gte: Uint8Array.of(9), lt: Uint8Array.of(10) }).all()
  expect(rows).toHaveLength(1)
})
