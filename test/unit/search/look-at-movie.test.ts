import sharp, { type OverlayOptions } from 'sharp'
import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { type LookAtFileComponents, lookAtFile } from '../../../src/search/look-at-file.js'
import { fileOfBytes } from '../../../src/search/readable-file.js'
import { readHead } from '../../../src/similarity/images/heads/read-head.js'
import type { Analysis, AnalysisRequest } from '../../../src/similarity/images/image-analyzer.js'
import { openPreview } from '../../../src/similarity/images/picture.js'
import { Ffmpeg, type FrameRequest } from '../../../src/similarity/videos/ffmpeg.js'
import { movieWith } from '../../support/movie-files.js'
import { collect } from '../photos/photos-fixture.js'

const FOREVER = new AbortController().signal
const SIZE = { width: 64, height: 48 }
const LOOK = { format: 'mov', outputs: { facts: true, features: undefined }, priority: 'backlog' } as const

/** Left half red, right half blue, with as much green. */
async function frame(green: number): Promise<Buffer> {
  const half = (r: number, b: number): OverlayOptions['input'] => ({
    create: { width: 32, height: 48, channels: 3, background: { r, g: green, b } }
  })
  return sharp({ create: { ...SIZE, channels: 3, background: '#000' } })
    .composite([
      { input: half(255, 0), left: 0, top: 0 },
      { input: half(0, 255), left: 32, top: 0 }
    ])
    .jpeg({ quality: 95 })
    .toBuffer()
}

/** Looks at pictures in this process. */
class Analyzer {
  readonly pictures: { readonly corner: readonly number[]; readonly size: readonly number[] }[] = []

  readHead = readHeadOf

  async analyze({ bytes, preview }: AnalysisRequest): Promise<Analysis> {
    const picture = await openPreview(
      typeof bytes === 'function' ? await collect(bytes()) : Buffer.from(bytes),
      preview?.orientation
    )
    const { width, height, state, input } = picture
    this.pictures.push({ corner: [...input.data.subarray(0, 3)], size: [width, height] })
    return { width, height, state, phash: new Uint8Array(8), variants: [] }
  }
}

const readHeadOf: LookAtFileComponents['analyzer']['readHead'] = ({ source, hints }) => readHead(source, hints)

/** Gives these pictures, one after the other; undefined: it fails. */
function scripted(...frames: (Buffer | undefined)[]): LookAtFileComponents['ffmpeg'] & { requests: FrameRequest[] } {
  const requests: FrameRequest[] = []
  return {
    requests,
    frame: async request => {
      requests.push(request)
      const next = frames.shift()
      if (next === undefined) throw new SheafError('ERR_IMAGE_UNREADABLE')
      return next
    }
  }
}

describe('a movie', () => {
  test('is looked at by the picture that its head names, turned once, and has no hash', async () => {
    const samples = [await frame(0), await frame(200)]
    const movie = movieWith({ ...SIZE, samples, keys: [1, 2], seconds: 0, turned: true })
    const analyzer = new Analyzer()
    const ffmpeg = scripted(samples[1])
    const analysis = await lookAtFile({ analyzer, ffmpeg }, fileOfBytes(movie), LOOK, FOREVER)
    expect(analysis).toEqual({ width: 48, height: 64, state: 'poster', variants: [] })
    const sent = (await ffmpeg.requests[0]?.bytes()) as Buffer
    expect(sent.includes(samples[0] as Buffer)).toBe(true)
    expect(sent.length).toBeLessThan((samples[0] as Buffer).length + 1_000)
  })

  test('of which one picture cannot be decoded is looked at by the first one', async () => {
    const samples = await Promise.all(Array.from({ length: 12 }, (_, i) => frame(i * 20)))
    const movie = movieWith({ ...SIZE, samples, keys: [1, 2] })
    for (const broken of [undefined, Buffer.from('rubbish')]) {
      const ffmpeg = scripted(broken, samples[0])
      const analysis = await lookAtFile({ analyzer: new Analyzer(), ffmpeg }, fileOfBytes(movie), LOOK, FOREVER)
      expect(analysis.state).toBe('poster')
      const tried = await Promise.all(ffmpeg.requests.map(async ({ bytes }) => Buffer.from(await bytes())))
      expect(tried.map(part => samples.findIndex(sample => part.includes(sample)))).toEqual([1, 0])
    }
  })

  test('without lists is looked at by its beginning, which says itself how it is turned', async () => {
    const stream = Buffer.concat([Buffer.from('1a45dfa3', 'hex'), Buffer.alloc(20 * 2 ** 20)])
    const ffmpeg = scripted(await frame(0))
    const look = { ...LOOK, format: 'matroska' }
    await lookAtFile({ analyzer: new Analyzer(), ffmpeg }, fileOfBytes(stream), look, FOREVER)
    expect(ffmpeg.requests[0]?.format).toBe('matroska')
    expect((await ffmpeg.requests[0]?.bytes())?.length).toBe(16 * 2 ** 20)
  })

  test('of which nothing can be decoded says why; without ffmpeg it is not even read', async () => {
    const movie = movieWith({ ...SIZE, samples: [await frame(0)] })
    const file = fileOfBytes(movie)
    await expect(
      lookAtFile({ analyzer: new Analyzer(), ffmpeg: scripted() }, file, LOOK, FOREVER)
    ).rejects.toMatchObject({ code: 'ERR_IMAGE_UNREADABLE' })
    const unread = { size: movie.length, stream: () => Promise.reject(new Error('it is read')) as never }
    await expect(
      lookAtFile({ analyzer: new Analyzer(), ffmpeg: undefined }, unread, LOOK, FOREVER)
    ).rejects.toMatchObject({ code: 'ERR_IMAGE_UNREADABLE', message: expect.stringContaining('install ffmpeg') })
  })

  test('is no fault when the program fails, and is not tried in another way', async () => {
    const movie = movieWith({ ...SIZE, samples: [await frame(0), await frame(9)], keys: [1, 2], seconds: 0 })
    const ffmpeg = { frame: () => Promise.reject(new SheafError('ERR_ANALYST_UNAVAILABLE')) }
    await expect(
      lookAtFile({ analyzer: new Analyzer(), ffmpeg }, fileOfBytes(movie), LOOK, FOREVER)
    ).rejects.toMatchObject({ code: 'ERR_ANALYST_UNAVAILABLE' })
  })
})

const real = await Ffmpeg.find('ffmpeg').catch(() => undefined)

describe.skipIf(real === undefined)(`with ffmpeg ${real?.version ?? '(not on this machine)'}`, () => {
  test.each([
    [false, [64, 48], 'red'],
    [true, [48, 64], 'red']
  ] as const)('a movie shows its picture (turned: %s)', async (turned, size, corner) => {
    const samples = await Promise.all([1, 2, 3].map(i => frame(i * 60)))
    const movie = movieWith({ ...SIZE, samples, keys: [2], turned })
    const analyzer = new Analyzer()
    const analysis = await lookAtFile({ analyzer, ffmpeg: real }, fileOfBytes(movie), LOOK, FOREVER)
    expect(analysis.state).toBe('poster')
    const [picture] = analyzer.pictures
    expect(picture?.size).toEqual(size)
    const [r = 0, g = 0, b = 0] = picture?.corner ?? []
    expect([corner, r > 200, Math.abs(g - 120) < 20, b < 60]).toEqual(['red', true, true, true])
  })
})
