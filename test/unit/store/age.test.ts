import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import { Directory } from '../../../src/directory/directory.js'
import type { NodeId } from '../../../src/domain/ids.js'
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

const PEER = 'peer' as NodeId

/** A node that heard of a peer's age an hour after its start, was off for 30 hours, and runs again. */
async function backAfterNight(): Promise<Processes> {
  const node = await started()
  await node.clock.advance(HOUR_MS)
  node.age.noteRound()
  node.age.notePeer(PEER, 500 * HOUR_MS)
  await node.stop()
  await node.clock.advance(30 * HOUR_MS)
  await node.start()
  return node
}

test('what passed while it was off counts as far as a peer has grown older meanwhile', async () => {
  const node = await backAfterNight()
  node.age.notePeer(PEER, 520 * HOUR_MS) // off for ten hours itself
  expect(node.age.now()).toBe(21 * HOUR_MS)
  node.age.notePeer(PEER, 520 * HOUR_MS)
  expect(node.age.now()).toBe(21 * HOUR_MS)
  expect(node.age.now() - (node.age.roundAt ?? 0)).toBe(30 * HOUR_MS)
})

test('what it missed does not age what it heard of before that was counted', async () => {
  const node = await backAfterNight()
  const before = node.age.now() // it was heard of in the evening, or so
  await node.clock.advance(60_000)
  const heardAt = node.age.now()
  await node.clock.advance(60_000)
  node.age.notePeer(PEER, 520 * HOUR_MS)
  const passedMs = [before - 1, heardAt].map(at => node.age.since(at))
  expect(passedMs[0]).toBeGreaterThan(20 * HOUR_MS)
  expect(passedMs[1]).toBe(60_000)
  await node.stop()
  await node.start()
  expect(node.age.since(heardAt)).toBe(60_000)
  const after = node.age.now()
  await node.clock.advance(HOUR_MS)
  expect([node.age.since(heardAt), node.age.since(after)]).toEqual([HOUR_MS + 60_000, HOUR_MS])
})

test('a peer is believed no more than the wall clock, and neither makes a node younger', async () => {
  const node = await backAfterNight()
  node.age.notePeer(PEER, 9_000 * HOUR_MS)
  expect(node.age.now()).toBe(31 * HOUR_MS)
  node.age.notePeer(PEER, 1 * HOUR_MS)
  node.age.notePeer(PEER, 9_000 * HOUR_MS)
  expect(node.age.now()).toBe(31 * HOUR_MS)
})

test('a wall clock that was set to 2099 meanwhile makes nobody older: the peers stood still, too', async () => {
  const node = await backAfterNight()
  node.clock.setWall(Date.UTC(2099, 0, 1))
  node.age.notePeer(PEER, 500 * HOUR_MS + 20_000)
  expect(node.age.now()).toBe(HOUR_MS + 20_000)
  node.age.notePeer('another' as NodeId, 9_000 * HOUR_MS)
  node.age.notePeer('another' as NodeId, 9_000 * HOUR_MS)
  expect(node.age.now()).toBe(HOUR_MS + 20_000)
})

test('time during which the machine was suspended counts as far as a peer measured it', async () => {
  const node = await started()
  await node.clock.advance(HOUR_MS)
  node.age.notePeer(PEER, 500 * HOUR_MS)
  node.clock.setWall(node.clock.now() + 8 * HOUR_MS)
  await node.clock.advance(500)
  node.age.notePeer(PEER, 508 * HOUR_MS)
  expect(node.age.now()).toBe(9 * HOUR_MS)
})
