import { createCipheriv, createHash, hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { deflateSync } from 'node:zlib'
import { crc32 } from '@node-rs/crc32'

/** A stream of numbers that a seed determines; tests take all their choices from one. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** @returns a number in [0, 1) (mulberry32) */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** @returns a whole number in [0, end) */
  below(end: number): number {
    return Math.floor(this.fraction() * end)
  }

  /** @returns a whole number in [from, to], both included */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** @throws when `items` is empty */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  /** @returns an independent stream for a part of the test, so that parts may interleave in any order */
  fork(label: string | number): SeededRandom {
    return new SeededRandom(createHash('sha256').update(`${this.#state}/${label}`).digest().readUInt32LE())
  }
}

/** @returns the seed from `SEED=`, else a fresh one; printed at once, so that every failure can be replayed */
export function announceSeed(testName: string): number {
  const given = process.env.SEED
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given) >>> 0
  process.stderr.write(`${testName}: SEED=${seed}\n`)
  return seed
}

export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

/** @returns incompressible bytes that `seed` determines, the same as {@link noiseStream} yields */
export function noiseBytes(seed: number, byteCount: number): Buffer {
  return keystream(seed).update(Buffer.alloc(byteCount))
}

/** Streams `byteCount` bytes in pieces of 256 KiB, holding one of them at a time. */
export function noiseStream(seed: number, byteCount: number): Readable {
  return Readable.from(noisePieces(seed, byteCount), { objectMode: false })
}

function* noisePieces(seed: number, byteCount: number): Generator<Buffer> {
  const cipher = keystream(seed)
  const zeros = Buffer.alloc(256 * 1024)
  for (let left = byteCount; left > 0; left -= zeros.length) {
    yield cipher.update(left < zeros.length ? zeros.subarray(0, left) : zeros)
  }
}

/** @returns lower-case hex of all that {@link noiseStream} yields */
export function noiseSha256(seed: number, byteCount: number): string {
  const digest = createHash('sha256')
  for (const piece of noisePieces(seed, byteCount)) digest.update(piece)
  return digest.digest('hex')
}

function keystream(seed: number): ReturnType<typeof createCipheriv> {
  const key = createHash('sha256').update(`noise ${seed}`).digest()
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32))
}

const JFIF = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')

/** @returns bytes that begin and end like a JPEG, with noise between; `byteCount` ≥ 1 */
export function fakeJpeg(seed: number, byteCount: number): Buffer {
  const bytes = noiseBytes(seed, byteCount)
  JFIF.copy(bytes)
  if (byteCount >= JFIF.length + 2) bytes.writeUInt16BE(0xffd9, byteCount - 2)
  return bytes
}

/** `ffc4`: a Huffman table with the one code `0`, for the symbol 0. */
const huffmanTable = (id: string): string => `ffc40014${id}01${'00'.repeat(15)}00`

/** A grey baseline JPEG of one pixel: quantisation, frame, Huffman tables, scan (two zero bits, then ones), end. */
const ONE_PIXEL_JPEG = Buffer.from(
  `${JFIF.toString('hex')}ffdb004300${'01'.repeat(64)}ffc0000b080001000101011100` +
    `${huffmanTable('00')}${huffmanTable('10')}ffda0008010100003f003fffd9`,
  'hex'
)

/** @returns a valid JPEG of one pixel; the seed stands in a comment segment, so that each has its own bytes */
export function tinyJpeg(seed: number): Buffer {
  const text = Buffer.from(`seed ${seed}`)
  const comment = Buffer.alloc(4 + text.length)
  comment.writeUInt16BE(0xfffe, 0)
  comment.writeUInt16BE(2 + text.length, 2)
  text.copy(comment, 4)
  return Buffer.concat([ONE_PIXEL_JPEG.subarray(0, 2), comment, ONE_PIXEL_JPEG.subarray(2)])
}

/** @returns a valid PNG of `side` × `side` pixels of seeded noise, 8-bit RGB */
export function tinyPng(seed: number, side = 4): Buffer {
  const pixels = noiseBytes(seed, side * side * 3)
  const rows = Array.from({ length: side }, (_, row) =>
    Buffer.concat([Buffer.of(0), pixels.subarray(row * side * 3, (row + 1) * side * 3)])
  )
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(Buffer.concat(rows))),
    pngChunk('IEND', Buffer.alloc(0))
  ])
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const frame = Buffer.alloc(body.length + 8)
  frame.writeUInt32BE(data.length, 0)
  body.copy(frame, 4)
  frame.writeUInt32BE(crc32(body), body.length + 4)
  return frame
}

const BLOCK_BYTES = 65_536

/** @returns a size for a photo: mostly small, often at the edges of a 64 KiB block, sometimes up to `byteCountMax` */
export function photoByteCount(random: SeededRandom, byteCountMax: number): number {
  const draw = random.fraction()
  const byteCount =
    draw < 0.1
      ? random.between(1, 64)
      : draw < 0.6
        ? random.between(65, 20_000)
        : draw < 0.8
          ? BLOCK_BYTES * random.between(1, 3) + random.between(-1, 1)
          : draw < 0.95
            ? random.between(20_000, 150_000)
            : byteCountMax
  return Math.min(byteCount, byteCountMax)
}
