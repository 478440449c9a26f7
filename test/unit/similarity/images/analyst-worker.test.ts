import { describe, expect, test } from 'vitest'
import type { FromAnalyst } from '../../../../src/similarity/images/analyst-messages.js'
import { AnalystWorker } from '../../../../src/similarity/images/analyst-worker.js'
import { scene, toImage } from '../../../support/test-pictures.js'

const MIB = 2 ** 20
const WANTED = { variants: true, features: true }

/** A worker, and what it says. */
function workerWith(): {
  worker: AnalystWorker
  said: FromAnalyst[]
  saidNext: (type: string) => Promise<FromAnalyst>
} {
  const said: FromAnalyst[] = []
  const waiting = new Map<string, (message: FromAnalyst) => void>()
  const worker = new AnalystWorker(message => {
    said.push(message)
    waiting.get(message.type)?.(message)
  })
  return { worker, said, saidNext: type => new Promise(resolve => waiting.set(type, resolve)) }
}

async function begin(worker: AnalystWorker, call: number): Promise<void> {
  const bytes = await toImage(scene(call)).jpeg().toBuffer()
  worker.receive({ type: 'photo', call, size: bytes.length })
  worker.receive({ type: 'piece', call, bytes })
}

describe('the worker', () => {
  test('says when a photo is decoded, and then what it found', async () => {
    const { worker, said, saidNext } = workerWith()
    await begin(worker, 1)
    worker.receive({ type: 'look', call: 1, wanted: WANTED })
    await saidNext('done')
    expect(said).toMatchObject([
      { type: 'decoded', call: 1 },
      { type: 'done', call: 1, result: { width: 96, height: 64 } }
    ])
  })

  test('answers a cancelled photo once: at once while its bytes come, else when it has been decoded', async () => {
    const { worker, said, saidNext } = workerWith()
    await begin(worker, 1)
    worker.receive({ type: 'cancel', call: 1 })
    worker.receive({ type: 'piece', call: 1, bytes: Buffer.of(1) })
    await saidNext('failed')
    await begin(worker, 2)
    worker.receive({ type: 'look', call: 2, wanted: WANTED })
    worker.receive({ type: 'cancel', call: 2 })
    await saidNext('failed')
    expect(said.map(({ type }) => type)).toEqual(['failed', 'decoded', 'failed'])
  })

  test('has no word of a model that it does not have', async () => {
    const { worker, saidNext } = workerWith()
    worker.receive({ type: 'text', call: 1, text: 'a rose' })
    expect(await saidNext('failed')).toMatchObject({ code: 'ERR_MODEL_UNAVAILABLE' })
  })
})

describe('what the process takes', () => {
  test('of memory is bounded', () => {
    const { worker } = workerWith()
    expect(worker.excess({ rssBytes: 1_500 * MIB, cpuMs: 0 })).toBeUndefined()
    expect(worker.excess({ rssBytes: 1_501 * MIB, cpuMs: 0 })).toBe('outgrown')
  })

  test('of computing time is bounded for each photo, not for all', async () => {
    const { worker, saidNext } = workerWith()
    for (const call of [1, 2]) await begin(worker, call)
    const usage = (cpuMs: number) => ({ rssBytes: 0, cpuMs })
    worker.receive({ type: 'look', call: 1, wanted: WANTED })
    expect(worker.excess(usage(100_000))).toBeUndefined()
    expect(worker.excess(usage(130_000))).toBeUndefined()
    expect(worker.excess(usage(130_001))).toBe('slow')
    await saidNext('done')
    worker.receive({ type: 'look', call: 2, wanted: WANTED })
    expect(worker.excess(usage(200_000))).toBeUndefined()
    expect(worker.excess(usage(230_000))).toBeUndefined()
    await saidNext('done')
    expect(worker.excess(usage(300_000))).toBeUndefined()
  })
})
