import { hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { decodeFeatures, encodeFeatures, type Space } from '../../src/domain/features.js'
import type { PhotoId } from '../../src/domain/ids.js'
import type { VectorEntry } from '../../src/similarity/index/vector-index.js'

const DIGEST = hash('sha256', 'bench')

interface Place {
  readonly offset: number
  readonly length: number
  readonly sha256: string
}

/** Whole vectors in a file, read and checked as a node reads features from its volumes. */
export class StoredVectors {
  /** Since it was created. */
  reads = 0
  readonly #file: FileHandle
  readonly #places = new Map<PhotoId, Place>()
  #end = 0

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async create(path: string): Promise<StoredVectors> {
    return new StoredVectors(await open(path, 'w+'))
  }

  async keep({ id, vectors }: VectorEntry): Promise<void> {
    const bytes = encodeFeatures({ modelDigest: DIGEST, vectors })
    await this.#file.write(bytes, 0, bytes.length, this.#end)
    this.#places.set(id, { offset: this.#end, length: bytes.length, sha256: hash('sha256', bytes) })
    this.#end += bytes.length
  }

  cosines(ids: readonly PhotoId[], space: Space, query: Float32Array): Promise<number[]> {
    return Promise.all(ids.map(async id => cosine(query, await this.#vector(id, space))))
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #vector(id: PhotoId, space: Space): Promise<Float32Array> {
    const { offset, length, sha256 } = this.#places.get(id) as Place
    const bytes = Buffer.allocUnsafe(length)
    await this.#file.read(bytes, 0, length, offset)
    this.reads++
    if (hash('sha256', bytes) !== sha256) throw new Error('the file of vectors is damaged')
    return decodeFeatures(bytes).vectors.get(space) as Float32Array
  }
}

function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}
