import { watch } from 'node:fs'
import type { Clock } from '../../core/clock.js'
import { systemErrorCode } from '../../core/errors.js'
import {
  type FileState,
  type FoundFile,
  type FoundFolder,
  findRoot,
  isSameState,
  list,
  type PassedOver,
  type WalkInit
} from './walk.js'

export interface FolderWatchComponents {
  readonly clock: Clock
  /** Says something to the person who watches. */
  readonly note: (line: string) => void
  /** Calls back when something in a folder has changed. @throws system errors. Default: the system's */
  readonly watch?: WatchFolder
}

export type WatchFolder = (path: Buffer, onChange: () => void, onError: (error: unknown) => void) => () => void

export interface FolderWatchInit extends WalkInit {
  /** A file is at rest when its length and time have not changed for so long. */
  readonly settleMs: number
  /** How often everything is looked at, whatever was told: some file systems tell nothing. */
  readonly rescanMs: number
}

interface WatchedFile {
  readonly state: FileState
  /** When it was first seen so. */
  readonly sinceMs: number
  isTold: boolean
}

interface WatchedFolder {
  readonly found: FoundFolder
  readonly files: Map<string, WatchedFile>
  readonly unwatch: () => void
}

interface Look {
  readonly atRest: (FoundFile | PassedOver)[]
  readonly untold: readonly WatchedFile[]
}

/** A folder to look at, with those in it or without. */
interface Due {
  readonly folder: FoundFolder
  readonly isDeep: boolean
}

/**
 * Follows folders, and tells of files once they are at rest. Each folder is watched by itself: events only say where to look,
 * so that none has to be understood, and a folder that is made anew under its old name is another one.
 */
export class FolderWatch {
  readonly #components: FolderWatchComponents
  readonly #init: FolderWatchInit
  /** By path. */
  readonly #folders = new Map<string, WatchedFolder>()
  readonly #due = new Map<string, Due>()
  #isBlind = false
  #wake: () => void = () => {}

  constructor(components: FolderWatchComponents, init: FolderWatchInit) {
    this.#components = components
    this.#init = init
  }

  /**
   * Yields what lies in a folder and is at rest, all of it, whenever that is more than before; and nothing when everything was looked at. What
   * was yielded counts as told when the next is asked for. Ends when the signal aborts.
   */
  async *settled(roots: readonly string[], signal: AbortSignal): AsyncGenerator<(FoundFile | PassedOver)[]> {
    const { clock } = this.#components
    const { settleMs, rescanMs } = this.#init
    const onAbort = (): void => this.#wake()
    signal.addEventListener('abort', onAbort)
    try {
      for (let rescanAt = clock.monotonic(); !signal.aborted; ) {
        if (clock.monotonic() >= rescanAt) {
          yield []
          await this.#addRoots(roots)
          rescanAt = clock.monotonic() + rescanMs
        }
        const round = [...this.#due.values()]
        this.#due.clear()
        for (const due of round) {
          if (signal.aborted) return
          const { atRest, untold } = await this.#look(due)
          if (untold.length === 0) continue
          yield atRest
          for (const file of untold) file.isTold = true
        }
        // what moves is looked at again, and many events at once are one look
        await clock.sleep(settleMs / 2, signal).catch(() => {})
        if (signal.aborted) return
        this.#addRestless()
        if (this.#due.size === 0) await this.#untilWoken(rescanAt - clock.monotonic())
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      for (const { unwatch } of this.#folders.values()) unwatch()
      this.#folders.clear()
    }
  }

  async #addRoots(roots: readonly string[]): Promise<void> {
    for (const root of roots) {
      const found = await findRoot(root)
      if ('identity' in found) this.#addDue(found, true)
      else this.#components.note(`sheaf: ${root}: is no folder, or cannot be read; it is looked for again`)
    }
  }

  #addDue(folder: FoundFolder, isDeep: boolean): void {
    const key = keyOf(folder)
    this.#due.set(key, { folder, isDeep: isDeep || this.#due.get(key)?.isDeep === true })
  }

  #addRestless(): void {
    for (const { found, files } of this.#folders.values()) {
      if ([...files.values()].some(({ isTold }) => !isTold)) this.#addDue(found, false)
    }
  }

  /** Looks into a folder. @returns what is at rest there, and what is passed over; of the former, what was not told yet */
  async #look({ folder, isDeep }: Due): Promise<Look> {
    const { files } = this.#enter(folder)
    const atRest: (FoundFile | PassedOver)[] = []
    const untold: WatchedFile[] = []
    const present = new Set<string>()
    for await (const found of list(folder, this.#init)) {
      if ('identity' in found) {
        const known = this.#folders.get(keyOf(found))
        if (isDeep || known?.found.identity !== found.identity) this.#addDue(found, true)
      } else if ('state' in found) {
        present.add(keyOf(found))
        const file = this.#note(files, found)
        if (!this.#hasRested(file)) continue
        atRest.push(found)
        if (!file.isTold) untold.push(file)
      } else if (found.shown === folder.shown) this.#leave(folder)
      else atRest.push(found)
    }
    for (const key of files.keys()) if (!present.has(key)) files.delete(key)
    return { atRest, untold }
  }

  #note(files: Map<string, WatchedFile>, { path, state }: FoundFile): WatchedFile {
    const key = keyOf({ path })
    const known = files.get(key)
    if (known !== undefined && isSameState(known.state, state)) return known
    const file: WatchedFile = { state, sinceMs: this.#components.clock.monotonic(), isTold: false }
    files.set(key, file)
    return file
  }

  #hasRested({ sinceMs, isTold }: WatchedFile): boolean {
    return isTold || this.#components.clock.monotonic() - sinceMs >= this.#init.settleMs
  }

  /** @returns the folder as it is watched; anew if another one was there */
  #enter(found: FoundFolder): WatchedFolder {
    const known = this.#folders.get(keyOf(found))
    if (known?.found.identity === found.identity) return known
    known?.unwatch()
    const folder = { found, files: known?.files ?? new Map<string, WatchedFile>(), unwatch: this.#watch(found) }
    this.#folders.set(keyOf(found), folder)
    return folder
  }

  #leave(folder: FoundFolder): void {
    this.#folders.get(keyOf(folder))?.unwatch()
    this.#folders.delete(keyOf(folder))
  }

  #watch(folder: FoundFolder): () => void {
    const { watch = watchBySystem } = this.#components
    const onChange = (): void => {
      this.#addDue(folder, false)
      this.#wake()
    }
    try {
      return watch(folder.path, onChange, onChange)
    } catch (error) {
      // it is gone again, which the next look at its parent shows
      if (systemErrorCode(error) !== 'ENOENT') this.#noteBlind(error)
      return () => {}
    }
  }

  #noteBlind(error: unknown): void {
    if (this.#isBlind) return
    this.#isBlind = true
    const minutes = Math.round(this.#init.rescanMs / 60_000)
    this.#components.note(
      `sheaf: not all folders can be watched (${systemErrorCode(error)}); what is in the others is seen every ${minutes} minutes`
    )
  }

  async #untilWoken(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const cancel = this.#components.clock.schedule(Math.max(0, ms), resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = () => {}
  }
}

function keyOf({ path }: { readonly path: Buffer }): string {
  return path.toString('latin1')
}

function watchBySystem(path: Buffer, onChange: () => void, onError: (error: unknown) => void): () => void {
  const watcher = watch(path, onChange)
  watcher.on('error', onError)
  return () => watcher.close()
}
