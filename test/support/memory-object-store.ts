import type { ObjectStore, StoredObject } from '../../src/archive/object-store.js'
import { SheafError } from '../../src/core/errors.js'

export type ObjectCall = 'put' | 'get' | 'list' | 'remove'

/** An object store in memory, for tests: it fails and lies on demand, and counts what it is asked. */
export class MemoryObjectStore implements ObjectStore {
  readonly objects = new Map<string, { readonly bytes: Uint8Array; readonly modifiedMs: number }>()
  readonly calls: (readonly [ObjectCall, string])[] = []
  /** Asked before each call; what it returns is thrown. */
  fail: (call: ObjectCall, name: string) => Error | undefined = () => undefined
  /** What becomes of bytes that are put. */
  keep: (bytes: Uint8Array, name: string) => Uint8Array = bytes => bytes
  readonly #now: () => number

  /** @param components.now - the clock that dates objects */
  constructor(components: { readonly now: () => number }) {
    this.#now = components.now
  }

  /** Names, sorted, of those that begin with the prefix. */
  names(prefix = ''): string[] {
    return [...this.objects.keys()].filter(name => name.startsWith(prefix)).sort()
  }

  async put(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#begin('put', name, signal)
    this.objects.set(name, { bytes: Uint8Array.from(this.keep(bytes, name)), modifiedMs: this.#now() })
  }

  async get(name: string, byteCountMax: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    await this.#begin('get', name, signal)
    const bytes = this.objects.get(name)?.bytes
    if (bytes !== undefined && bytes.byteLength > byteCountMax) throw new SheafError('ERR_ARCHIVE_DAMAGED')
    return bytes && Uint8Array.from(bytes)
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    await this.#begin('list', prefix, signal)
    for (const [name, { modifiedMs }] of [...this.objects]) if (name.startsWith(prefix)) yield { name, modifiedMs }
  }

  async remove(name: string, signal: AbortSignal): Promise<void> {
    await this.#begin('remove', name, signal)
    this.objects.delete(name)
  }

  close(): void {}

  async #begin(call: ObjectCall, name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.calls.push([call, name])
    const failure = this.fail(call, name)
    if (failure !== undefined) throw failure
  }
}
