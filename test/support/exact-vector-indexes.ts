import { SheafError } from '../../src/core/errors.js'
import type { AudienceSet } from '../../src/domain/audience.js'
import type { ModelId, Space } from '../../src/domain/features.js'
import type { PhotoId } from '../../src/domain/ids.js'
import type {
  IndexAnswer,
  IndexName,
  MovedPhoto,
  Neighbor,
  VectorEntry,
  VectorIndex,
  VectorIndexes
} from '../../src/similarity/index/vector-index.js'

type Held = ReadonlyMap<PhotoId, VectorEntry>

export interface ExactVectorIndexInit {
  readonly held?: Held | undefined
  readonly onSave?: (held: Held) => void
  readonly capacity?: number
}

/** Compares with every vector: exact, in memory, one turn of promises a call. */
export class ExactVectorIndex implements VectorIndex {
  readonly capacity: number
  readonly #held: Map<PhotoId, VectorEntry>
  readonly #audiences = new Map<PhotoId, string>()
  readonly #onSave: (held: Held) => void
  #closed = false

  constructor({ held = new Map(), onSave = () => {}, capacity = Number.POSITIVE_INFINITY }: ExactVectorIndexInit = {}) {
    this.capacity = capacity
    this.#held = new Map(held)
    this.#onSave = onSave
  }

  get isOpen(): boolean {
    return !this.#closed
  }

  get size(): number {
    return this.#held.size
  }

  version(id: PhotoId): number | undefined {
    return this.#held.get(id)?.version
  }

  audience(id: PhotoId): string | undefined {
    return this.#audiences.get(id)
  }

  ids(): Iterable<PhotoId> {
    return this.#held.keys()
  }

  async add(entries: readonly VectorEntry[]): Promise<void> {
    this.#requireOpen()
    if (this.#held.size + entries.length > this.capacity) throw new SheafError('ERR_INDEX_FULL')
    for (const { id, version, audience, vectors } of entries) {
      const copies = Array.from(vectors, ([space, vector]) => [space, Float32Array.from(vector)] as const)
      this.#held.set(id, { id, version, audience, vectors: new Map(copies) })
      this.#audiences.set(id, audience)
    }
  }

  async remove(ids: readonly PhotoId[]): Promise<void> {
    this.#requireOpen()
    for (const id of ids) {
      this.#held.delete(id)
      this.#audiences.delete(id)
    }
  }

  async move(photos: readonly MovedPhoto[]): Promise<void> {
    this.#requireOpen()
    for (const { id, audience } of photos) if (this.#held.has(id)) this.#audiences.set(id, audience)
  }

  async search(space: Space, query: Float32Array, k: number, seen?: AudienceSet): Promise<IndexAnswer> {
    this.#requireOpen()
    const texts = new Set(seen?.texts)
    const isSeen = ({ id }: VectorEntry): boolean => texts.has(this.#audiences.get(id) ?? '')
    const among = seen === undefined ? this.#held.values() : [...this.#held.values()].filter(isSeen)
    return { neighbors: nearest(among, query, k, space), isExact: true }
  }

  async save(): Promise<void> {
    this.#requireOpen()
    this.#onSave(new Map(this.#held))
  }

  async clear(): Promise<void> {
    this.#requireOpen()
    this.#held.clear()
    this.#audiences.clear()
    this.#onSave(new Map())
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #requireOpen(): void {
    if (this.#closed) throw new SheafError('ERR_INDEX_UNAVAILABLE', 'the index is closed')
  }
}

/** What was saved outlives the indexes, as files do. */
export class ExactVectorIndexes implements VectorIndexes {
  /** Of each index opened from now on. */
  capacity = Number.POSITIVE_INFINITY
  readonly #saved = new Map<string, Held>()

  async open({ model, spaces }: IndexName): Promise<ExactVectorIndex> {
    const key = `${model} ${[...spaces].join(' ')}`
    const onSave = (held: Held): void => void this.#saved.set(key, held)
    return new ExactVectorIndex({ held: this.#saved.get(key), onSave, capacity: this.capacity })
  }

  async keepOnly(models: ReadonlySet<ModelId>): Promise<void> {
    for (const key of this.#saved.keys()) if (!models.has(key.split(' ')[0] as ModelId)) this.#saved.delete(key)
  }
}

/** @returns the k best by falling score; of equal ones the lesser id first */
export function nearest(
  entries: Iterable<Pick<VectorEntry, 'id' | 'vectors'>>,
  query: Float32Array,
  k: number,
  space: Space = 'image'
): Neighbor[] {
  const scored = Array.from(entries, ({ id, vectors }) => ({
    id,
    score: cosine(query, vectors.get(space) as Float32Array)
  }))
  return scored.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, k)
}

function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return Math.max(-1, Math.min(1, sum))
}
