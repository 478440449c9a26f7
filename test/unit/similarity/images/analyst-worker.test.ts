import { describe, expect, test } from 'vitest'
import type { FromAnalyst } from '../../../../src/similarity/images/analyst-messages.js'
import { AnalystWorker } from '../../../../src/similarity/images/analyst-worker.js'
import { scene, toImage } from '../../../support/test-pictures.js'

const MIB = 2 ** 20
const WANTED = { variants: true, features: true }

interface Fixture {
  readonly worker: AnalystWorker
  readonly said: readonly FromAnalyst[]
  /** @returns the nth message of this type, when it has been said */
  readonly saying: (type: FromAnalyst['type'], nth?: number) => Promise<FromAnalyst>
}

function workerWith(): Fixture {
  const said: FromAnalyst[] = []
  const listeners = new Set<() => void>()
  const worker = new AnalystWorker(message => {
    said.push(message)
    for (const listener of listeners) listener()
  })
  const saying: Fixture['saying'] = (type, nth = 1) =>
    new Promise(resolve => {
      const look = (): void => {
        const message = said.filter(other => other.type === type)[nth - 1]
        if (message === undefined) return
        listeners.delete(look)
        resolve(message)
      }
      listeners.add(look)
      look()
    })
  return { worker, said, saying }
}

async function begin(worker: AnalystWorker, call: number): Promise<void> {
  const bytes = await toImage(scene(call)).jpeg().toBuffer()
  worker.receive({ type: 'photo', call, size: bytes.length })
  worker.receive({ type: 'piece', call, bytes })
}

describe('the worker', () => {
  test('says when a photo is decoded, and then what it found', async () => {
    const { worker, said, saying } = workerWith()
    await begin(worker, 1)
    worker.receive({ type: 'look', call: 1, wanted: WANTED })
    await saying('done')
    expect(said).toMatchObject([
      { type: 'decoding', call: 1 },
      { type: 'decoded', call: 1 },
      { type: 'done', call: 1, result: { width: 96, height: 64 } }
    ])
  })

  test('decodes one photo at a time, in the order in which it is told to', async () => {
    const { worker, said, saying } = workerWith()
    for (const call of [1, 2, 3]) await begin(worker, call)
    for (const call of [2, 3, 1]) worker.receive({ type: 'look', call, wanted: WANTED })
    await saying('done', 3)
    const decoder = said.filter(({ type }) => type === 'decoding' || type === 'decoded')
    expect(decoder.map(message => 'call' in message && message.call)).toEqual([2, 2, 3, 3, 1, 1])
  })

  test('goes on with the next photo after one that it cannot decode', async () => {
    const { worker, saying } = workerWith()
    const broken = Buffer.from('no picture')
    worker.receive({ type: 'photo', call: 1, size: broken.length })
    worker.receive({ type: 'piece', call: 1, bytes: broken })
    await begin(worker, 2)
    for (const call of [1, 2]) worker.receive({ type: 'look', call, wanted: WANTED })
    expect(await saying('failed')).toMatchObject({ call: 1, code: 'ERR_IMAGE_UNREADABLE' })
    expect(await saying('done')).toMatchObject({ call: 2 })
  })

  test('answers a cancelled photo once: at once while its bytes come', async () => {
    const { worker, said, saying } = workerWith()
    await begin(worker, 1)
    worker.receive({ type: 'cancel', call: 1 })
    worker.receive({ type: 'piece', call: 1, bytes: Buffer.of(1) })
    await saying('failed')
    expect(said).toHaveLength(1)
  })

  test('… else when it has been decoded, which it is not if it has not begun', async () => {
    const { worker, said, saying } = workerWith()
    for (const call of [1, 2]) await begin(worker, call)
    for (const call of [1, 2]) worker.receive({ type: 'look', call, wanted: WANTED })
    await saying('decoding')
    for (const call of [1, 2]) worker.receive({ type: 'cancel', call })
    await saying('failed', 2)
    expect(said.map(({ type }) => type)).toEqual(['decoding', 'decoded', 'failed', 'failed'])
  })

  test('has no word of a model that it does not have', async () => {
    const { worker, saying } = workerWith()
    worker.receive({ type: 'text', call: 1, text: 'a rose' })
    expect(await saying('failed')).toMatchObject({ code: 'ERR_MODEL_UNAVAILABLE' })
  })
})

describe('what the process takes', () => {
  test('of memory is bounded', () => {
    const { worker } = workerWith()
    expect(worker.excess({ rssBytes: 1_500 * MIB, cpuMs: 0 })).toBeUndefined()
    expect(worker.excess({ rssBytes: 1_501 * MIB, cpuMs: 0 })).toBe('outgrown')
  })

  test('of computing time is bounded for each photo, from when its decoding begins', async () => {
    const { worker, saying } = workerWith()
    for (const call of [1, 2]) await begin(worker, call)
    const usage = (cpuMs: number) => ({ rssBytes: 0, cpuMs })
    for (const call of [1, 2]) worker.receive({ type: 'look', call, wanted: WANTED })
    await saying('decoding')
    expect(worker.excess(usage(100_000))).toBeUndefined()
    expect(worker.excess(usage(130_000))).toBeUndefined()
    expect(worker.excess(usage(130_001))).toBe('slow')
    await saying('done', 2)
    expect(worker.excess(usage(300_000))).toBeUndefined()
    await begin(worker, 3)
    worker.receive({ type: 'look', call: 3, wanted: WANTED })
    await saying('decoding', 3)
    expect(worker.excess(usage(400_000))).toBeUndefined()
    expect(worker.excess(usage(430_000))).toBeUndefined()
  })
})
