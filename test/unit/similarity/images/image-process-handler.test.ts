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
  readonly handler: ImageProcessHandler
  readonly sent: readonly FromImageProcess[]
  /** Waits for the nth message of this type. */
  readonly waitFor: (type: FromImageProcess['type'], nth?: number) => Promise<FromImageProcess>
}

function startHandler(): Fixture {
  const sent: FromImageProcess[] = []
  const listeners = new Set<() => void>()
  const handler = new ImageProcessHandler(message => {
    sent.push(message)
    for (const listener of listeners) listener()
  })
  const waitFor: Fixture['waitFor'] = (type, nth = 1) =>
    new Promise(resolve => {
      const check = (): void => {
        const message = sent.filter(other => other.type === type)[nth - 1]
        if (message === undefined) return
        listeners.delete(check)
        resolve(message)
      }
      listeners.add(check)
      check()
    })
  return { handler, sent, waitFor }
}

async function begin(handler: ImageProcessHandler, call: number, width = 96): Promise<void> {
  const bytes = await toImage(scene(call)).resize(width).jpeg().toBuffer()
  handler.receive({ type: 'photo', call, size: bytes.length })
  handler.receive({ type: 'piece', call, bytes })
}

describe('the handler', () => {
  test('answers with the analysis', async () => {
    const { handler, sent, waitFor } = startHandler()
    await begin(handler, 1)
    handler.receive({ type: 'analyze', call: 1, outputs: OUTPUTS, priority: 'backlog' })
    await waitFor('done')
    expect(sent).toMatchObject([{ type: 'done', call: 1, result: { width: 96, height: 64 } }])
  })

  test('continues with the next photo after one that it cannot decode', async () => {
    const { handler, waitFor } = startHandler()
    const broken = Buffer.from('no picture')
    handler.receive({ type: 'photo', call: 1, size: broken.length })
    handler.receive({ type: 'piece', call: 1, bytes: broken })
    await begin(handler, 2)
    for (const call of [1, 2]) handler.receive({ type: 'analyze', call, outputs: OUTPUTS, priority: 'backlog' })
    expect(await waitFor('failed')).toMatchObject({ call: 1, code: 'ERR_IMAGE_UNREADABLE' })
    expect(await waitFor('done')).toMatchObject({ call: 2 })
  })

  test('shows a part of a picture, hashes none, and has nothing to say of it to who wants no sizes', async () => {
    const { handler, waitFor } = startHandler()
    const jpeg = await toImage(scene(1, 300, 200))
      .jpeg()
      .toBuffer()
    const cut = jpeg.subarray(0, jpeg.length / 2)
    const model = 'm' as ModelId
    for (const [call, facts] of [true, false].entries()) {
      handler.receive({ type: 'photo', call, size: cut.length })
      handler.receive({ type: 'piece', call, bytes: cut })
      handler.receive({ type: 'analyze', call, outputs: { facts, features: model }, priority: 'backlog' })
    }
    const error = 'ERR_IMAGE_UNREADABLE'
    const { result } = (await waitFor('done')) as { readonly result: Analysis }
    expect(result).toMatchObject({ width: 300, height: 200, state: 'partial', error, featuresError: error })
    expect(result.variants.map(({ alt, width }) => [alt, width])).toEqual([
      ['large', 300],
      ['small', 300],
      ['thumb', 256]
    ])
    expect(result).not.toHaveProperty('phash')
    expect(await waitFor('failed')).toMatchObject({ call: 1, code: error })
  })

  test('answers a cancelled photo exactly once: at once while its bytes arrive', async () => {
    const { handler, sent, waitFor } = startHandler()
    await begin(handler, 1)
    handler.receive({ type: 'cancel', call: 1 })
    handler.receive({ type: 'piece', call: 1, bytes: Buffer.of(1) })
    await waitFor('failed')
    expect(sent).toHaveLength(1)
  })

  test('… at once while it waits for the decoder, otherwise when it has been decoded', async () => {
    const { handler, sent, waitFor } = startHandler()
    for (const call of [1, 2, 3]) await begin(handler, call)
    for (const call of [1, 2, 3]) handler.receive({ type: 'analyze', call, outputs: OUTPUTS, priority: 'backlog' })
    await Promise.resolve() // the first is being decoded
    for (const call of [1, 2]) handler.receive({ type: 'cancel', call })
    await waitFor('done')
    expect(sent).toMatchObject([
      { type: 'failed', call: 2 },
      { type: 'failed', call: 1 },
      { type: 'done', call: 3 }
    ])
  })
})

describe('the head of a file', () => {
  test('is read by asking for the parts of it that are needed', async () => {
    const { handler, sent, waitFor } = startHandler()
    const bytes = await toImage(scene(1, 90, 60))
      .png()
      .toBuffer()
    handler.receive({ type: 'head', call: 1, size: bytes.length, hints: { latestMs: 0, name: '' } })
    const read = await waitFor('read')
    if (read.type !== 'read') throw new Error('not a read')
    handler.receive({ type: 'range', call: 1, bytes: bytes.subarray(read.at, read.at + read.length) })
    expect(await waitFor('done')).toEqual({ type: 'done', call: 1, result: { format: 'png', width: 90, height: 60 } })
    expect(sent).toHaveLength(2)
  })

  test('that nobody waits for any more is given up, and bytes that come late do no harm', async () => {
    const { handler, sent, waitFor } = startHandler()
    handler.receive({ type: 'head', call: 1, size: 100, hints: { latestMs: 0, name: '' } })
    await waitFor('read')
    handler.receive({ type: 'cancel', call: 1 })
    expect(await waitFor('failed')).toMatchObject({ call: 1, code: 'ERR_STOPPING' })
    handler.receive({ type: 'range', call: 1, bytes: Buffer.alloc(100) })
    expect(sent).toHaveLength(2)
  })
})

test('a question does not wait until the backlog has been decoded', async () => {
  const { handler, sent, waitFor } = startHandler()
  const backlog = [1, 2, 3, 4, 5, 6]
  for (const call of [...backlog, 7]) await begin(handler, call)
  for (const call of backlog) handler.receive({ type: 'analyze', call, outputs: OUTPUTS, priority: 'backlog' })
  handler.receive({ type: 'analyze', call: 7, outputs: OUTPUTS, priority: 'interactive' })
  await waitFor('done', 7)
  expect(sent.at(-1)).toMatchObject({ type: 'done', call: 6 })
})

describe('models', () => {
  const RED = [1, 0, 0, 1 / 3].map(value => value / Math.sqrt(10 / 9))
  const MIRRORED_RED = [RED[2], RED[1], RED[0], RED[3]]

  /** @returns the vector of a red picture */
  async function embed({ handler, waitFor }: Fixture, call: number, features: ModelId, nth: number): Promise<unknown> {
    const red = { create: { width: 16, height: 16, channels: 3, background: '#ff0000' } } as const
    const bytes = await sharp(red).png().toBuffer()
    handler.receive({ type: 'photo', call, size: bytes.length })
    handler.receive({ type: 'piece', call, bytes })
    handler.receive({ type: 'analyze', call, outputs: { facts: false, features }, priority: 'backlog' })
    const answer = await waitFor('done', nth)
    const { features: found } = (answer as { result: Analysis }).result
    return found && Array.from(found.vectors.get('image') ?? [])
  }

  const near = (vector: readonly (number | undefined)[]) => vector.map(value => expect.closeTo(value ?? 0, 5))

  test('are used side by side, as each call requests', async () => {
    const fixture = startHandler()
    const { handler, waitFor } = fixture
    const [colours, mirrored] = [await colourModel(), await colourModel({ mirrored: true })]
    handler.receive({ type: 'models', call: 1, models: [colours, mirrored] })
    await waitFor('done')
    expect(await embed(fixture, 2, colours.spec.id, 2)).toEqual(near(RED))
    expect(await embed(fixture, 3, mirrored.spec.id, 3)).toEqual(near(MIRRORED_RED))
    handler.receive({ type: 'text', call: 4, text: 'red', model: colours.spec.id })
    expect(await waitFor('done', 4)).toMatchObject({ call: 4, result: { space: 'image' } })
    handler.receive({ type: 'text', call: 5, text: 'red', model: mirrored.spec.id })
    expect(await waitFor('failed')).toMatchObject({ call: 5, code: 'ERR_TEXT_SEARCH_UNAVAILABLE' })
  })

  test('that are no longer listed are released; the others stay', async () => {
    const fixture = startHandler()
    const { handler, waitFor } = fixture
    const [colours, mirrored] = [await colourModel(), await colourModel({ mirrored: true })]
    handler.receive({ type: 'models', call: 1, models: [colours] })
    await waitFor('done')
    await rm(colours.folder, { recursive: true }) // not read again
    handler.receive({ type: 'models', call: 2, models: [mirrored, colours] })
    await waitFor('done', 2)
    expect(await embed(fixture, 3, colours.spec.id, 3)).toEqual(near(RED))
    handler.receive({ type: 'models', call: 4, models: [mirrored] })
    await waitFor('done', 4)
    expect(await embed(fixture, 5, colours.spec.id, 5)).toBeUndefined()
    expect(await embed(fixture, 6, mirrored.spec.id, 6)).toEqual(near(MIRRORED_RED))
    handler.receive({ type: 'text', call: 7, text: 'red', model: colours.spec.id })
    expect(await waitFor('failed')).toMatchObject({ call: 7, code: 'ERR_MODEL_UNAVAILABLE' })
  })

  test('one that cannot be loaded does not affect the others', async () => {
    const fixture = startHandler()
    const { handler, waitFor } = fixture
    const [colours, broken] = [await colourModel(), await colourModel({ mirrored: true })]
    await rm(broken.folder, { recursive: true })
    handler.receive({ type: 'models', call: 1, models: [colours] })
    await waitFor('done')
    handler.receive({ type: 'models', call: 2, models: [broken, colours] })
    expect(await waitFor('failed')).toMatchObject({ call: 2, code: 'ERR_MODEL_INVALID' })
    expect(await embed(fixture, 3, colours.spec.id, 2)).toEqual(near(RED))
  })

  test('are released when their running calls are done', async () => {
    const { handler, waitFor } = startHandler()
    const colours = await colourModel()
    handler.receive({ type: 'models', call: 1, models: [colours] })
    await waitFor('done')
    handler.receive({ type: 'text', call: 2, text: 'red', model: colours.spec.id })
    handler.receive({ type: 'models', call: 3, models: [] })
    expect(await waitFor('done', 2)).toMatchObject({ call: 2, result: { space: 'image' } })
    expect(await waitFor('done', 3)).toMatchObject({ call: 3 })
  })
})

describe('resource usage', () => {
  test('memory is bounded', () => {
    const { handler } = startHandler()
    expect(handler.excess({ rssBytes: 1_500 * MIB, cpuMs: 0 })).toBeUndefined()
    expect(handler.excess({ rssBytes: 1_501 * MIB, cpuMs: 0 })).toBe('outgrown')
  })

  test('memory may be larger by the files of a second model', async () => {
    const { handler, waitFor } = startHandler()
    const [colours, mirrored] = [await colourModel(), await colourModel({ mirrored: true })]
    const large = { ...colours, spec: { ...colours.spec, files: [{ name: 'a', sha256: '', bytes: 100 * MIB }] } }
    for (const [i, models] of [[large], [mirrored, large]].entries()) {
      handler.receive({ type: 'models', call: i, models })
      await waitFor('done', i + 1)
      const bound = [1_500, 1_600][i] as number
      expect(handler.excess({ rssBytes: bound * MIB, cpuMs: 0 })).toBeUndefined()
      expect(handler.excess({ rssBytes: (bound + 1) * MIB, cpuMs: 0 })).toBe('outgrown')
    }
  })

  test('CPU time is bounded for each photo, from the start of its decoding', async () => {
    const { handler, waitFor } = startHandler()
    await begin(handler, 1)
    await begin(handler, 2, 3_000) // decoding it takes longer than all work on the first
    const usage = (cpuMs: number) => ({ rssBytes: 0, cpuMs })
    for (const call of [1, 2]) handler.receive({ type: 'analyze', call, outputs: OUTPUTS, priority: 'backlog' })
    await Promise.resolve() // the first is being decoded
    expect(handler.excess(usage(100_000))).toBeUndefined()
    expect(handler.excess(usage(130_000))).toBeUndefined()
    expect(handler.excess(usage(130_001))).toBe('slow')
    await waitFor('done')
    expect(handler.excess(usage(200_000))).toBeUndefined() // the second was waiting until now
    await waitFor('done', 2)
    expect(handler.excess(usage(300_000))).toBeUndefined()
    await begin(handler, 3)
    handler.receive({ type: 'analyze', call: 3, outputs: OUTPUTS, priority: 'backlog' })
    await Promise.resolve()
    expect(handler.excess(usage(400_000))).toBeUndefined()
    expect(handler.excess(usage(430_000))).toBeUndefined()
  })
})
