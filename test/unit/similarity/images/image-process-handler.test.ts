import { rm } from 'node:fs/promises'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { ModelId } from '../../../../src/domain/features.js'
import type { Analysis } from '../../../../src/similarity/images/image-analyzer.js'
import { ImageProcessHandler } from '../../../../src/similarity/images/image-process-handler.js'
import type { FromImageProcess } from '../../../../src/similarity/images/image-process-messages.js'
import { colourModel } from '../../../support/colour-model.js'
import { scene, toImage } from '../../../support/test-pictures.js'

const MIB = 2 ** 20
const OUTPUTS = { facts: true, features: undefined }

interface Fixture {
  readonly worker: ImageProcessHandler
  readonly said: readonly FromImageProcess[]
  /** @returns the nth message of this type, when it has been said */
  readonly saying: (type: FromImageProcess['type'], nth?: number) => Promise<FromImageProcess>
}

function workerWith(): Fixture {
  const said: FromImageProcess[] = []
  const listeners = new Set<() => void>()
  const worker = new ImageProcessHandler(message => {
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

async function begin(worker: ImageProcessHandler, call: number, width = 96): Promise<void> {
  const bytes = await toImage(scene(call)).resize(width).jpeg().toBuffer()
  worker.receive({ type: 'photo', call, size: bytes.length })
  worker.receive({ type: 'piece', call, bytes })
}

describe('the worker', () => {
  test('says what it found', async () => {
    const { worker, said, saying } = workerWith()
    await begin(worker, 1)
    worker.receive({ type: 'analyze', call: 1, outputs: OUTPUTS })
    await saying('done')
    expect(said).toMatchObject([{ type: 'done', call: 1, result: { width: 96, height: 64 } }])
  })

  test('goes on with the next photo after one that it cannot decode', async () => {
    const { worker, saying } = workerWith()
    const broken = Buffer.from('no picture')
    worker.receive({ type: 'photo', call: 1, size: broken.length })
    worker.receive({ type: 'piece', call: 1, bytes: broken })
    await begin(worker, 2)
    for (const call of [1, 2]) worker.receive({ type: 'analyze', call, outputs: OUTPUTS })
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

  test('… at once while it waits for the decoder, and else when it has been decoded', async () => {
    const { worker, said, saying } = workerWith()
    for (const call of [1, 2, 3]) await begin(worker, call)
    for (const call of [1, 2, 3]) worker.receive({ type: 'analyze', call, outputs: OUTPUTS })
    await Promise.resolve() // the first is being decoded
    for (const call of [1, 2]) worker.receive({ type: 'cancel', call })
    await saying('done')
    expect(said).toMatchObject([
      { type: 'failed', call: 2 },
      { type: 'failed', call: 1 },
      { type: 'done', call: 3 }
    ])
  })
})

describe('models', () => {
  const RED = [1, 0, 0, 1 / 3].map(value => value / Math.sqrt(10 / 9))
  const MIRRORED_RED = [RED[2], RED[1], RED[0], RED[3]]

  /** @returns of a red picture: its vector, rounded */
  async function look({ worker, saying }: Fixture, call: number, features: ModelId, nth: number): Promise<unknown> {
    const red = { create: { width: 16, height: 16, channels: 3, background: '#ff0000' } } as const
    const bytes = await sharp(red).png().toBuffer()
    worker.receive({ type: 'photo', call, size: bytes.length })
    worker.receive({ type: 'piece', call, bytes })
    worker.receive({ type: 'analyze', call, outputs: { facts: false, features } })
    const answer = await saying('done', nth)
    const { features: found } = (answer as { result: Analysis }).result
    return found && Array.from(found.vectors.get('image') ?? [])
  }

  const near = (vector: readonly (number | undefined)[]) => vector.map(value => expect.closeTo(value ?? 0, 5))

  test('answer side by side, each for what names it', async () => {
    const fixture = workerWith()
    const { worker, saying } = fixture
    const [colours, mirrored] = [await colourModel(), await colourModel({ mirrored: true })]
    worker.receive({ type: 'models', call: 1, models: [colours, mirrored] })
    await saying('done')
    expect(await look(fixture, 2, colours.spec.id, 2)).toEqual(near(RED))
    expect(await look(fixture, 3, mirrored.spec.id, 3)).toEqual(near(MIRRORED_RED))
    worker.receive({ type: 'text', call: 4, text: 'red', model: colours.spec.id })
    expect(await saying('done', 4)).toMatchObject({ call: 4, result: { space: 'image' } })
    worker.receive({ type: 'text', call: 5, text: 'red', model: mirrored.spec.id })
    expect(await saying('failed')).toMatchObject({ call: 5, code: 'ERR_TEXT_SEARCH_UNAVAILABLE' })
  })

  test('that are no longer named are let go; those that are stay', async () => {
    const fixture = workerWith()
    const { worker, saying } = fixture
    const [colours, mirrored] = [await colourModel(), await colourModel({ mirrored: true })]
    worker.receive({ type: 'models', call: 1, models: [colours] })
    await saying('done')
    await rm(colours.folder, { recursive: true }) // it is not read again
    worker.receive({ type: 'models', call: 2, models: [mirrored, colours] })
    await saying('done', 2)
    expect(await look(fixture, 3, colours.spec.id, 3)).toEqual(near(RED))
    worker.receive({ type: 'models', call: 4, models: [mirrored] })
    await saying('done', 4)
    expect(await look(fixture, 5, colours.spec.id, 5)).toBeUndefined()
    expect(await look(fixture, 6, mirrored.spec.id, 6)).toEqual(near(MIRRORED_RED))
    worker.receive({ type: 'text', call: 7, text: 'red', model: colours.spec.id })
    expect(await saying('failed')).toMatchObject({ call: 7, code: 'ERR_MODEL_UNAVAILABLE' })
  })

  test('one that cannot be loaded does no harm to the others', async () => {
    const fixture = workerWith()
    const { worker, saying } = fixture
    const [colours, gone] = [await colourModel(), await colourModel({ mirrored: true })]
    await rm(gone.folder, { recursive: true })
    worker.receive({ type: 'models', call: 1, models: [colours] })
    await saying('done')
    worker.receive({ type: 'models', call: 2, models: [gone, colours] })
    expect(await saying('failed')).toMatchObject({ call: 2, code: 'ERR_MODEL_INVALID' })
    expect(await look(fixture, 3, colours.spec.id, 2)).toEqual(near(RED))
  })

  test('are let go when what they are embedding is done', async () => {
    const { worker, saying } = workerWith()
    const colours = await colourModel()
    worker.receive({ type: 'models', call: 1, models: [colours] })
    await saying('done')
    worker.receive({ type: 'text', call: 2, text: 'red', model: colours.spec.id })
    worker.receive({ type: 'models', call: 3, models: [] })
    expect(await saying('done', 2)).toMatchObject({ call: 2, result: { space: 'image' } })
    expect(await saying('done', 3)).toMatchObject({ call: 3 })
  })
})

describe('what the process takes', () => {
  test('of memory is bounded', () => {
    const { worker } = workerWith()
    expect(worker.excess({ rssBytes: 1_500 * MIB, cpuMs: 0 })).toBeUndefined()
    expect(worker.excess({ rssBytes: 1_501 * MIB, cpuMs: 0 })).toBe('outgrown')
  })

  test('of memory may be more by the files of a second model', async () => {
    const { worker, saying } = workerWith()
    const [colours, mirrored] = [await colourModel(), await colourModel({ mirrored: true })]
    const large = { ...colours, spec: { ...colours.spec, files: [{ name: 'a', sha256: '', bytes: 100 * MIB }] } }
    for (const [i, models] of [[large], [mirrored, large]].entries()) {
      worker.receive({ type: 'models', call: i, models })
      await saying('done', i + 1)
      const bound = [1_500, 1_600][i] as number
      expect(worker.excess({ rssBytes: bound * MIB, cpuMs: 0 })).toBeUndefined()
      expect(worker.excess({ rssBytes: (bound + 1) * MIB, cpuMs: 0 })).toBe('outgrown')
    }
  })

  test('of computing time is bounded for each photo, from when its decoding begins', async () => {
    const { worker, saying } = workerWith()
    await begin(worker, 1)
    await begin(worker, 2, 3_000) // takes longer than all that is done with the first
    const usage = (cpuMs: number) => ({ rssBytes: 0, cpuMs })
    for (const call of [1, 2]) worker.receive({ type: 'analyze', call, outputs: OUTPUTS })
    await Promise.resolve() // the first is being decoded
    expect(worker.excess(usage(100_000))).toBeUndefined()
    expect(worker.excess(usage(130_000))).toBeUndefined()
    expect(worker.excess(usage(130_001))).toBe('slow')
    await saying('done')
    expect(worker.excess(usage(200_000))).toBeUndefined() // the second waited until now
    await saying('done', 2)
    expect(worker.excess(usage(300_000))).toBeUndefined()
    await begin(worker, 3)
    worker.receive({ type: 'analyze', call: 3, outputs: OUTPUTS })
    await Promise.resolve()
    expect(worker.excess(usage(400_000))).toBeUndefined()
    expect(worker.excess(usage(430_000))).toBeUndefined()
  })
})
