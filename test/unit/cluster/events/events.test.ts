import { beforeEach, describe, expect, it } from 'vitest'
import { type ClusterEvent, type EventStep, Events } from '../../../../src/cluster/events/events.js'
import type { RecordChange } from '../../../../src/directory/batch-plan.js'
import type { ChangeListener, DirectoryState } from '../../../../src/directory/directory.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { type DirectoryRecord, mergeRecords } from '../../../../src/domain/record.js'
import { encodeRecord } from '../../../../src/domain/record-codec.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'
import { PhotoWriter } from '../../directory/photo-log.js'

const RING = 10_000
const NODE = '12D3KooWNode' as NodeId

/** The listening side of a directory, driven by the test. */
class FakeDirectory {
  state: DirectoryState = 'open'
  readonly listeners = new Set<ChangeListener>()

  onChange(listener: ChangeListener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  change(...pairs: readonly (readonly [DirectoryRecord | undefined, DirectoryRecord])[]): void {
    const changes = pairs.map(
      ([before, after]): RecordChange => ({
        key: { kind: after.kind, id: after.id },
        ...(before && { before }),
        after,
        bytes: encodeRecord(after),
        volumes: []
      })
    )
    for (const listener of this.listeners) listener(changes)
  }
}

let clock: SimulatedClock
let directory: FakeDirectory
let events: Events
let writer: PhotoWriter
let leave: AbortController

beforeEach(async () => {
  clock = new SimulatedClock()
  directory = new FakeDirectory()
  events = new Events({ directory, clock, random: new SeededRandom(1) })
  await events.start()
  writer = new PhotoWriter()
  leave = new AbortController()
})

const follow = (lastEventId?: string): AsyncGenerator<EventStep, void> => events.follow(lastEventId, leave.signal)

/** The next step, time passing as it needs to. */
async function step(follower: AsyncGenerator<EventStep, void>): Promise<EventStep | 'end'> {
  const next = follower.next()
  await clock.advance(20)
  const { done, value } = await next
  return done === true ? 'end' : value
}

const subjectOf = (event: ClusterEvent): string =>
  'photoId' in event ? event.photoId : 'nodeId' in event ? event.nodeId : 'job' in event ? event.job.id : 'index'

/** Follows from an id on until nothing more comes. @returns the steps, events as `type subject` */
async function eventsSince(lastEventId: string | undefined): Promise<string[]> {
  const follower = follow(lastEventId)
  const lines: string[] = []
  let next = await step(follower)
  for (;;) {
    if (next === 'end') return [...lines, 'end']
    if (next.kind === 'events') {
      lines.push(...next.events.map(event => `${event.type} ${subjectOf(event)}`))
    } else lines.push(next.kind)
    const coming = follower.next()
    await clock.advance(15_000)
    const { done, value } = await coming
    next = done === true ? 'end' : value
    if (next !== 'end' && next.kind === 'quiet') {
      await follower.return()
      return lines
    }
  }
}

async function idNow(): Promise<string> {
  const follower = follow()
  const first = await step(follower)
  await follower.return()
  if (first === 'end' || first.kind !== 'start') throw new Error('a follower begins with a start')
  return first.id
}

describe('events', () => {
  it('are derived from a change’s effect on live photos', async () => {
    const born = writer.birth()
    const tagged = writer.edit(born.id, { tags: { add: ['a'] } })
    const deleted = writer.delete(born.id)
    const deletedAgain = { ...deleted, extra: new Map([[9, 1]]) }
    const undeleted = writer.undelete(born.id)
    const album = writer.write({ kind: 'album', id: 'a' }, [{ kind: 'version', value: new Map() }])
    const hollow = { kind: 'photo', id: writer.newId(), context: new Map(), entries: [] }
    const start = await idNow()
    const cases: [DirectoryRecord | undefined, DirectoryRecord, string | undefined][] = [
      [undefined, born, 'photo.uploaded'],
      [born, tagged, 'photo.updated'],
      [tagged, deleted, 'photo.deleted'],
      [deleted, deletedAgain, undefined],
      [deleted, undeleted, 'photo.uploaded'],
      [tagged, undeleted, 'photo.updated'],
      [undefined, deleted, undefined],
      [undefined, album, undefined],
      [undefined, hollow, undefined],
      [hollow, born, 'photo.uploaded'],
      [undefined, { ...born, id: born.id.toUpperCase() }, 'photo.uploaded'],
      [undefined, { ...born, id: 'no photo id' }, undefined]
    ]
    directory.change(...cases.map(([before, after]) => [before, after] as const))
    const expected = cases.flatMap(([, , type]) => (type === undefined ? [] : [`${type} ${born.id}`]))
    expect(await eventsSince(start)).toEqual(['start', ...expected])
  })

  it('tell of a photo that has come to have two versions, once', async () => {
    const born = writer.birth()
    const elsewhere = new PhotoWriter(2)
    elsewhere.learn(born)
    const here = writer.edit(born.id, { caption: 'here' })
    const both = mergeRecords(here, elsewhere.edit(born.id, { caption: 'there' }))
    const more = mergeRecords(both, writer.edit(born.id, { rating: 3 }))
    const start = await idNow()
    directory.change([here, both], [both, more], [undefined, both])
    const updated = `photo.updated ${born.id}`
    const conflict = `photo.conflict ${born.id}`
    expect(await eventsSince(start)).toEqual([
      'start',
      updated,
      conflict,
      updated,
      `photo.uploaded ${born.id}`,
      conflict
    ])
  })

  it('of members and repair are noted, with the time of this node', async () => {
    const follower = follow()
    await step(follower)
    events.note('member.up', NODE)
    const next = await step(follower)
    expect(next).toMatchObject({ kind: 'events', events: [{ type: 'member.up', nodeId: NODE }] })
    expect(next).toMatchObject({ events: [{ atMs: Date.UTC(2026, 0, 1) + 20 }] })
  })

  it('have ids that go up by one within an epoch, which differs between processes', async () => {
    const first = follow()
    await step(first)
    for (let i = 0; i < 3; i++) events.note('repair.done', NODE)
    const next = await step(first)
    const ids = next !== 'end' && next.kind === 'events' ? next.events.map(({ id }) => id) : []
    expect(ids.map(id => id.split('-')[1])).toEqual(['1', '2', '3'])
    expect(new Set(ids.map(id => id.split('-')[0])).size).toBe(1)
    const other = new Events({ directory, clock, random: new SeededRandom(2) })
    const { value } = await other.follow(undefined, leave.signal).next()
    expect((value as { id: string }).id.split('-')[0]).not.toBe(ids[0]?.split('-')[0])
  })
})

describe('a follower', () => {
  it('without an id gets new events', async () => {
    events.note('member.up', NODE)
    const follower = follow()
    expect(await step(follower)).toMatchObject({ kind: 'start' })
    events.note('member.down', NODE)
    expect(await step(follower)).toMatchObject({ events: [{ type: 'member.down' }] })
  })

  it('resumes exactly after the id that it names', async () => {
    const start = await idNow()
    const [epoch] = start.split('-')
    for (let i = 0; i < 600; i++) events.note('member.up', `node ${i}` as NodeId)
    const all = Array.from({ length: 600 }, (_, i) => `member.up node ${i}`)
    expect(await eventsSince(start)).toEqual(['start', ...all])
    expect(await eventsSince(`${epoch}-257`)).toEqual(['start', ...all.slice(257)])
    expect(await eventsSince(`${epoch}-600`)).toEqual(['start'])
  })

  it('is reset when its id is foreign, malformed, expired or not given out yet', async () => {
    const start = await idNow()
    const [epoch = ''] = start.split('-')
    events.note('member.up', NODE)
    for (const id of ['', 'x', '0123456789abcdef-0', `${epoch}-`, `${epoch}-2`, `${epoch}-01`, `${epoch}-1e0`, '1']) {
      expect(await eventsSince(id), id).toEqual(['reset'])
    }
    for (let i = 0; i < RING; i++) events.note('member.up', NODE)
    expect(await eventsSince(start)).toEqual(['reset'])
    expect(await eventsSince(`${epoch}-1`)).toHaveLength(1 + RING)
    events.note('member.up', NODE)
    expect(await eventsSince(`${epoch}-1`)).toEqual(['reset'])
  })

  it('that the ring has overtaken is reset, and can resume from there', async () => {
    const slow = follow()
    const fast = follow()
    await step(slow)
    await step(fast)
    for (let i = 0; i < RING; i++) events.note('member.up', NODE)
    const first = await step(slow)
    expect(first).toMatchObject({ kind: 'events' })
    let seen = 0
    while (seen < RING) {
      const next = await step(fast)
      if (next !== 'end' && next.kind === 'events') seen += next.events.length
    }
    for (let i = 0; i < RING; i++) events.note('member.down', NODE)
    const cut = await step(slow)
    expect(cut).toMatchObject({ kind: 'reset' })
    expect(await step(slow)).toBe('end')
    const next = await step(fast)
    expect(next).toMatchObject({ kind: 'events' })
    expect(next).toHaveProperty('events.0.type', 'member.down')
    events.note('repair.done', NODE)
    expect(await eventsSince((cut as { id: string }).id)).toEqual(['start', `repair.done ${NODE}`])
  })

  it('gets a step at least every 15 s', async () => {
    const follower = follow()
    await step(follower)
    const quiet = follower.next()
    await clock.advance(14_980)
    events.note('member.up', NODE)
    await clock.advance(10)
    expect(await quiet).toMatchObject({ value: { kind: 'events' } })
    const later = follower.next()
    await clock.advance(15_000)
    expect(await later).toMatchObject({ value: { kind: 'quiet' } })
  })

  it('gets events that happen close together in one step', async () => {
    const follower = follow()
    await step(follower)
    const next = follower.next()
    await clock.advance(1)
    events.note('member.up', NODE)
    await clock.advance(5)
    events.note('member.down', NODE)
    await clock.advance(5)
    expect(await next).toMatchObject({ value: { events: [{ type: 'member.up' }, { type: 'member.down' }] } })
  })

  it('of bursts gets what comes within 250 ms as one step, whatever its size, and the first at once', async () => {
    const follower = events.follow(undefined, leave.signal, { inBursts: true })
    await step(follower)
    const first = follower.next()
    await clock.advance(1)
    events.note('member.up', NODE)
    await clock.advance(10)
    expect(await first).toMatchObject({ value: { kind: 'events', events: [{ type: 'member.up' }] } })
    const second = follower.next()
    for (let i = 0; i < 3_000; i++) events.note('member.down', NODE)
    await clock.advance(249)
    events.note('member.up', NODE)
    await clock.advance(1)
    const { value } = await second
    expect(value?.kind === 'events' && value.events.length).toBe(3_001)
    leave.abort()
    expect(await follower.next()).toMatchObject({ done: true })
    expect(clock.pending).toBe(0)
  })

  it('hears of jobs', async () => {
    const start = await idNow()
    events.noteJob({
      id: 'j',
      kind: 'scrub',
      owner: undefined,
      state: 'running',
      progress: { done: 1, total: 2, unit: 'bytes' }
    })
    expect(await eventsSince(start)).toEqual(['start', 'job.progress j'])
  })

  it('ends when it leaves and when the node stops, and leaves nothing behind', async () => {
    const leaving = follow()
    const staying = events.follow(undefined, new AbortController().signal)
    await step(leaving)
    await step(staying)
    const [left, stayed] = [leaving.next(), staying.next()]
    await clock.advance(1)
    leave.abort()
    expect(await left).toMatchObject({ done: true })
    await events.stop()
    expect(await stayed).toMatchObject({ done: true })
    expect(clock.pending).toBe(0)
    expect(directory.listeners.size).toBe(0)
    await expect(follow().next()).rejects.toMatchObject({ code: 'ERR_STOPPING' })
  })

  it('is one of 256 at most', async () => {
    const followers = Array.from({ length: 256 }, () => follow())
    for (const follower of followers) await follower.next()
    await expect(follow().next()).rejects.toMatchObject({ code: 'ERR_OVERLOADED' })
    await followers[0]?.return()
    await expect(follow().next()).resolves.toMatchObject({ value: { kind: 'start' } })
  })

  it('is reset once when the directory is rebuilt from the log, and gets the events after that', async () => {
    const start = await idNow()
    const follower = follow()
    await step(follower)
    directory.state = 'filling'
    const [first, second, third] = [writer.birth(), writer.birth(), writer.birth()]
    directory.change([undefined, first])
    const reset = await step(follower)
    expect(reset).toMatchObject({ kind: 'reset' })
    expect(await step(follower)).toBe('end')
    directory.change([undefined, second])
    directory.state = 'open'
    directory.change([undefined, third])
    const expected = `photo.uploaded ${third.id}`
    expect(await eventsSince((reset as { id: string }).id)).toEqual(['start', expected])
    expect(await eventsSince(start)).toEqual(['reset'])
    directory.state = 'filling'
    directory.change([undefined, first])
    expect(await eventsSince((reset as { id: string }).id)).toEqual(['reset'])
  })
})

describe('what happened last', () => {
  const recent = (limit: number): string[] =>
    events.recent(limit, event => event).map(event => `${event.type} ${subjectOf(event)}`)

  it('is told newest first, photos and members, as many as wanted', () => {
    expect(recent(5)).toEqual([])
    for (let i = 0; i < 4; i++) events.note('member.up', `${i}` as NodeId)
    events.noteJob({ id: 'j', kind: 'scrub', owner: undefined, state: 'done', progress: undefined })
    expect(recent(2)).toEqual(['member.up 3', 'member.up 2'])
    expect(recent(9)).toHaveLength(4)
  })

  it('is no more than the ring holds, and nothing from before a rebuild', () => {
    for (let i = 0; i <= RING; i++) events.note('member.up', `${i}` as NodeId)
    expect(recent(2 * RING)).toHaveLength(RING)
    expect(recent(2 * RING).at(-1)).toBe('member.up 1')
    directory.state = 'filling'
    directory.change([undefined, writer.birth()])
    events.note('member.down', NODE)
    expect(recent(9)).toEqual([`member.down ${NODE}`])
  })
})
