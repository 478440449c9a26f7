import { SheafError } from '../../src/core/errors.js'
import type { ModelId } from '../../src/domain/features.js'
import type { PhotoId } from '../../src/domain/ids.js'
import type {
  IndexName,
  Neighbor,
  VectorEntry,
  VectorIndex,
  VectorIndexes
} from '../../src/similarity/index/vector-index.js'

interface Held {
  readonly version: number
  readonly vector: Float32Array
}

/** Compares with every vector: exact, in memory, one turn of promises a call. */
export class ExactVectorIndex implements VectorIndex {
  readonly #held: Map<PhotoId, Held>
  readonly #onSave: (held: ReadonlyMap<PhotoId, Held>) => void
  #closed = false

  constructor(
    held: ReadonlyMap<PhotoId, Held> = new Map(),
    onSave: (held: ReadonlyMap<PhotoId, Held>) => void = () => {}
  ) {
    this.#held = new Map(held)
    this.#onSave = onSave
  }

  get size(): number {
    return this.#held.size
  }

  version(id: PhotoId): number | undefined {
    return this.#held.get(id)?.version
  }

  ids(): Iterable<PhotoId> {
    return this.#held.keys()
  }

  async add(entries: readonly VectorEntry[]): Promise<void> {
    this.#requireOpen()
    for (const { id, version, vector } of entries) this.#held.set(id, { version, vector: Float32Array.from(vector) })
  }

  async remove(ids: readonly PhotoId[]): Promise<void> {
    this.#requireOpen()
    for (const id of ids) this.#held.delete(id)
  }

  async search(query: Float32Array, k: number): Promise<Neighbor[]> {
    this.#requireOpen()
    return nearest(
      Array.from(this.#held, ([id, { vector }]) => ({ id, vector })),
      query,
      k
    )
  }

  async save(): Promise<void> {
    this.#requireOpen()
    this.#onSave(new Map(this.#held))
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
  readonly #saved = new Map<string, ReadonlyMap<PhotoId, Held>>()

  async open({ model, space, dimension }: IndexName): Promise<ExactVectorIndex> {
    const key = `${model} ${space} ${dimension}`
    return new ExactVectorIndex(this.#saved.get(key), held => this.#saved.set(key, held))
  }

  async keepOnly(models: ReadonlySet<ModelId>): Promise<void> {
    for (const key of this.#saved.keys()) if (!models.has(key.split(' ')[0] as ModelId)) this.#saved.delete(key)
  }
}

/** @returns the k best by falling score; of equal ones the lesser id first */
export function nearest(
  entries: readonly Pick<VectorEntry, 'id' | 'vector'>[],
  query: Float32Array,
  k: number
): Neighbor[] {
  const scored = entries.map(({ id, vector }) => ({ id, score: cosine(query, vector) }))
  return scored.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, k)
}

function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (const [i, value] of a.entries()) sum += value * (b[i] ?? 0)
  return Math.max(-1, Math.min(1, sum))
}
