/** Bytes of files between two steps of their way, as far as there is room for them. */
export class KeptFiles {
  readonly #bytesMax: number
  readonly #files = new Map<string, Uint8Array>()
  #byteCount = 0

  /** @param bytesMax - of all files together */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Does nothing where there is no room. */
  keep(path: Buffer, bytes: Uint8Array): void {
    this.drop(path)
    if (this.#byteCount + bytes.length > this.#bytesMax) return
    this.#files.set(keyOf(path), bytes)
    this.#byteCount += bytes.length
  }

  get(path: Buffer): Uint8Array | undefined {
    return this.#files.get(keyOf(path))
  }

  drop(path: Buffer): void {
    const key = keyOf(path)
    this.#byteCount -= this.#files.get(key)?.length ?? 0
    this.#files.delete(key)
  }

  clear(): void {
    this.#files.clear()
    this.#byteCount = 0
  }
}

function keyOf(path: Buffer): string {
  return path.toString('latin1')
}
