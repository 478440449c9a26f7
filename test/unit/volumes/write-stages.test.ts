import { beforeEach, describe, expect, test } from 'vitest'
import { WriteStages } from '../../../src/volumes/write-stages.js'
import { deferred } from '../../support/deferred.js'
import { settle } from '../../support/simulated-clock.js'
import { HeldFile } from './held-file.js'

const START = 100
const ITEM_BYTES = 10

interface Item {
  readonly name: string
  readonly byteCount: number
}

const disk = (code: string): Error => Object.assign(new Error(code), { code })

let file: HeldFile
let stages: WriteStages<Item>
/** What was committed, one text per call: `a b`. */
let committed: string[]
/** What was lost, one text per call: `EIO a b`. */
let lost: string[]
let commits: (() => Promise<void>)[]
/** Items that one write takes. */
let writeItemsMax: number

const names = (items: readonly Item[]): string => items.map(({ name }) => name).join(' ')

/** Pushes items in one turn of the event loop, and lets what follows from that happen. */
async function push(...items: string[]): Promise<void> {
  for (const name of items) stages.push({ name, byteCount: ITEM_BYTES })
  await settle()
  await settle()
}

beforeEach(() => {
  file = new HeldFile()
  committed = []
  lost = []
  commits = []
  writeItemsMax = 10
  stages = new WriteStages<Item>(
    {
      file: file.file,
      layOut: queued => {
        const items = queued.splice(0, writeItemsMax)
        return { items, parts: items.map(({ name }) => Buffer.from(name.padEnd(ITEM_BYTES))) }
      },
      commit: async items => {
        committed.push(names(items))
        await commits.shift()?.()
      },
      failed: (cause, items) => lost.push(`${(cause as { code?: string })?.code} ${names(items)}`.trim())
    },
    START
  )
})

describe('bytes on their way to the end of a file', () => {
  test('are written, synced, and then committed', async () => {
    expect(stages.idle).toBe(true)
    await push('a')
    expect(file.calls).toEqual(['write 100+10'])
    await file.endWrite()
    expect(file.calls).toEqual(['write 100+10', 'sync'])
    expect([committed, stages.durableEnd]).toEqual([[], START])
    await file.endSync()
    expect([committed, stages.durableEnd]).toEqual([['a'], START + ITEM_BYTES])
    expect(stages.idle).toBe(true)
    expect(lost).toEqual([])
  })

  test('share one write, one sync and one commit when they come in one turn of the event loop', async () => {
    await push('a', 'b', 'c')
    expect((await file.endWrite()).bytes.toString()).toBe('a         b         c         ')
    await file.endSync()
    expect(file.calls).toEqual(['write 100+30', 'sync'])
    expect(committed).toEqual(['a b c'])
  })

  test('are written one part after the other when one write does not take them all', async () => {
    writeItemsMax = 2
    await push('a', 'b', 'c')
    await file.endWrite()
    expect(file.calls).toEqual(['write 100+20', 'sync', 'write 120+10'])
    await file.endWrite()
    await file.endSync()
    await file.endSync()
    expect(committed).toEqual(['a b', 'c'])
  })

  test('are written while others are synced, and these wait for a sync of their own', async () => {
    await push('a')
    await file.endWrite()
    await push('b')
    await file.endWrite()
    await push('c')
    await file.endWrite()
    expect(file.calls).toEqual(['write 100+10', 'sync', 'write 110+10', 'write 120+10'])
    await file.endSync()
    expect([committed, stages.durableEnd]).toEqual([['a'], START + ITEM_BYTES])
    await file.endSync()
    expect(committed).toEqual(['a', 'b c'])
    expect(file.calls.filter(call => call === 'sync')).toHaveLength(2)
  })

  test('are committed in order, never two at a time', async () => {
    const first = deferred<void>()
    commits = [() => first.promise]
    for (const name of ['a', 'b', 'c']) {
      await push(name)
      await file.endWrite()
      await file.endSync()
    }
    expect(committed).toEqual(['a'])
    expect(stages.durableEnd).toBe(START + 3 * ITEM_BYTES)
    first.resolve()
    await settle()
    expect(committed).toEqual(['a', 'b c'])
  })
})

describe('drain', () => {
  test('waits for all three stages', async () => {
    const commit = deferred<void>()
    commits = [() => commit.promise]
    await push('a')
    let drained = false
    const drain = stages.drain().then(() => {
      drained = true
    })
    await file.endWrite()
    expect(drained).toBe(false)
    await file.endSync()
    expect(drained).toBe(false)
    commit.resolve()
    await drain
    expect(stages.idle).toBe(true)
  })

  test('ends at once when nothing is on its way, and after a failure', async () => {
    await stages.drain()
    await push('a')
    await file.endWrite(disk('EIO'))
    await stages.drain()
  })
})

describe('a write that fails', () => {
  test('loses what it held and what waits, and nothing is written any more', async () => {
    writeItemsMax = 1
    await push('a', 'b', 'c')
    await file.endWrite(disk('EIO'))
    expect(lost).toEqual(['EIO a b c'])
    await push('d')
    expect(lost).toEqual(['EIO a b c', 'EIO d'])
    expect(file.calls).toEqual(['write 100+10'])
    expect([committed, stages.durableEnd]).toEqual([[], START])
  })

  test('may end early: then the disk is full', async () => {
    await push('a', 'b')
    await file.endWrite(ITEM_BYTES)
    expect(lost).toEqual(['ENOSPC a b'])
    expect(file.calls).toEqual(['write 100+20'])
  })

  test('leaves a sync that is under way to end: what that covers is durable', async () => {
    await push('a')
    await file.endWrite()
    await push('b')
    await file.endWrite()
    await push('c')
    await file.endWrite(disk('EIO'))
    expect(lost).toEqual(['EIO c b'])
    await file.endSync()
    expect([committed, stages.durableEnd]).toEqual([['a'], START + ITEM_BYTES])
    expect(file.calls.filter(call => call === 'sync')).toHaveLength(1)
    expect(stages.idle).toBe(true)
  })
})

describe('a sync that fails', () => {
  test('loses what it covered and all that came after, and is never tried again', async () => {
    await push('a')
    await file.endWrite()
    await push('b')
    await file.endWrite()
    await file.endSync(disk('EIO'))
    expect(lost).toEqual(['EIO a b'])
    await push('c')
    expect(lost).toEqual(['EIO a b', 'EIO c'])
    expect(file.calls).toEqual(['write 100+10', 'sync', 'write 110+10'])
    expect([committed, stages.durableEnd]).toEqual([[], START])
  })

  test('loses also what is just being written, however that ends, for the first reason', async () => {
    await push('a')
    await file.endWrite()
    await push('b')
    await push('c')
    await file.endSync(disk('EIO'))
    expect(lost).toEqual(['EIO a c'])
    await file.endWrite()
    expect(lost).toEqual(['EIO a c', 'EIO b'])
    expect(stages.idle).toBe(true)
    expect(committed).toEqual([])
  })

  test('does not undo what was durable before and waits for its commit', async () => {
    const first = deferred<void>()
    commits = [() => first.promise]
    for (const name of ['a', 'b']) {
      await push(name)
      await file.endWrite()
      await file.endSync()
    }
    await push('c')
    await file.endWrite()
    await file.endSync(disk('EIO'))
    first.resolve()
    await stages.drain()
    expect(committed).toEqual(['a', 'b'])
    expect(lost).toEqual(['EIO c'])
  })

  test('leaves the reason of a write that fails afterwards aside', async () => {
    await push('a')
    await file.endWrite()
    await push('b')
    await file.endSync(disk('EIO'))
    await file.endWrite(disk('ENOSPC'))
    expect(lost).toEqual(['EIO a', 'EIO b'])
  })
})
