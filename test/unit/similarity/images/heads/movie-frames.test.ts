import { expect, test } from 'vitest'
import { type ByteSource, sourceOf } from '../../../../../src/similarity/images/heads/head-bytes.js'
import type { Head } from '../../../../../src/similarity/images/heads/head-facts.js'
import { readHead } from '../../../../../src/similarity/images/heads/read-head.js'
import { oneFrameMovie } from '../../../../../src/similarity/videos/one-frame-movie.js'
import { type MadeMovie, movieWith } from '../../../../support/movie-files.js'

const SIZE = { width: 64, height: 48 }

/** Pictures of 100 bytes and more, each of its own number. */
function numbered(count: number, bytes = (i: number): number => 100 + i): Buffer[] {
  return Array.from({ length: count }, (_, i) => Buffer.alloc(bytes(i), i + 1))
}

function headOf(movie: Buffer, read: ByteSource['read'] = sourceOf(movie).read): Promise<Head | undefined> {
  return readHead({ size: movie.length, read }, { latestMs: 0, name: '' })
}

/** @returns the numbers of the pictures that the head names, each of which is where it says, whole */
async function framesIn(made: Omit<MadeMovie, 'width' | 'height'>): Promise<number[]> {
  const movie = movieWith({ ...SIZE, ...made })
  const frames = (await headOf(movie))?.movie?.frames ?? []
  return frames.map(({ at, length }) => {
    const number = movie[at] as number
    expect(movie.subarray(at, at + length)).toEqual(made.samples[number - 1])
    return number
  })
}

test.each([
  ['the key frame after a second, and the first one', { keys: [1, 4, 8], seconds: 10, samples: numbered(40) }, [8, 1]],
  ['the one after a tenth of a short movie', { keys: [1, 4, 8], seconds: 5, samples: numbered(20) }, [4, 1]],
  ['the last one where there is none after that', { keys: [1, 2], samples: numbered(200) }, [2, 1]],
  ['the only one, once', { keys: [1], samples: numbered(20) }, [1]],
  ['any picture, where all are key frames', { samples: numbered(20) }, [3, 1]],
  ['the first, where the duration is not known', { seconds: 0, samples: numbered(20) }, [1]],
  ['one in the last chunk, which is shorter', { keys: [9], perChunk: 4, samples: numbered(9) }, [9]],
  ['one of pictures of one size', { samples: numbered(20, () => 99), perChunk: 7 }, [3, 1]],
  ['one beyond four gigabytes', { samples: numbered(20), wide: true, keys: [5] }, [5]]
] as const)('of a movie the head names %s', async (_, made, numbers) => {
  expect(await framesIn(made)).toEqual(numbers)
})

test('a picture is named by few reads, wherever its lists are', async () => {
  const movie = movieWith({ ...SIZE, samples: numbered(30_000, () => 3), keys: [1, 20_000], seconds: 2 })
  let reads = 0
  const head = await headOf(movie, async (at, length) => {
    reads++
    return movie.subarray(at, at + length)
  })
  expect(head?.movie?.frames).toHaveLength(2)
  expect(reads).toBeLessThan(20)
})

test('lists that lie name nothing, and never more than there is', async () => {
  const movie = movieWith({ ...SIZE, samples: numbered(20), keys: [1, 4] })
  const set = (box: string, offset: number, value: number): Buffer => {
    const changed = Buffer.from(movie)
    changed.writeUInt32BE(value, movie.indexOf(box) + 4 + offset)
    return changed
  }
  const lies = [
    set('stsc', 8, 0), // the first chunk is none
    set('stsc', 12, 0), // nothing in a chunk
    set('stco', 8, movie.length),
    set('stsz', 12, 0xffff_ffff),
    set('stsz', 8, 0), // no pictures
    set('stss', 8, 0xffff_ffff),
    set('stss', 4, 0xffff_ffff),
    set('stsd', 0, 0)
  ]
  for (const lie of lies) {
    const head = await headOf(lie)
    expect(head).toMatchObject({ format: 'mov', ...SIZE })
    for (const { at, length } of head?.movie?.frames ?? []) expect(at + length).toBeLessThanOrEqual(lie.length)
  }
  expect((await headOf(set('stsc', 12, 0)))?.movie).toBeUndefined()
})

test('any byte of the lists may be wrong', async () => {
  const movie = movieWith({ ...SIZE, samples: numbered(20), keys: [1, 4] })
  for (let at = movie.indexOf('moov'); at < movie.length; at++) {
    for (const value of [0, 0x7f, 0xff]) {
      const changed = Buffer.from(movie)
      changed[at] = value
      for (const { at: from, length } of (await headOf(changed))?.movie?.frames ?? [])
        expect(from + length).toBeLessThanOrEqual(movie.length)
    }
  }
})

test('sound is no picture', async () => {
  const movie = movieWith({ ...SIZE, samples: numbered(3) })
  movie.write('soun', movie.indexOf('vide'), 'latin1')
  expect((await headOf(movie))?.movie).toBeUndefined()
})

test('a movie of one picture has that picture in it, by the same lists', async () => {
  const movie = movieWith({ ...SIZE, samples: numbered(5), keys: [3] })
  const { config, configIndex, frames } = (await headOf(movie))?.movie ?? { config: { at: 0, length: 0 }, frames: [] }
  const cut = ({ at, length }: { readonly at: number; readonly length: number }): Buffer =>
    movie.subarray(at, at + length)
  const small = oneFrameMovie({
    config: cut(config),
    configIndex: configIndex ?? 0,
    frame: cut(frames[0] ?? { at: 0, length: 0 })
  })
  small.writeUInt32BE(SIZE.width * 0x1_0000, small.indexOf('tkhd') + 4 + 76)
  small.writeUInt32BE(SIZE.height * 0x1_0000, small.indexOf('tkhd') + 4 + 80)
  const [again] = (await headOf(small))?.movie?.frames ?? []
  expect(again && small.subarray(again.at, again.at + again.length)).toEqual(Buffer.alloc(102, 3))
})

test.each([
  ['matroska', '1a45dfa3'],
  ['avi', '5249464600000000415649204c495354'],
  ['asf', '3026b2758e66cf11'],
  ['mpeg', '000001ba']
])('%s is told by its first bytes', async (format, hex) => {
  expect(await headOf(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(300)]))).toEqual({ format })
})

test.each([
  [188, 0],
  [192, 4]
])('a transport stream is told by its packets of %i bytes', async (packet, sync) => {
  const stream = Buffer.alloc(2 * packet)
  for (const at of [sync, packet + sync]) stream[at] = 0x47
  expect(await headOf(stream)).toEqual({ format: 'mpegts' })
  stream[packet + sync] = 0
  expect(await headOf(stream)).toBeUndefined()
})
