import { existsSync, renameSync, writeFileSync } from 'node:fs'

const LIBRARIES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  arm64: '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1'
}

/** @returns why clocks cannot be faked here; undefined when they can */
export function clockObstacle(): string | undefined {
  const library = LIBRARIES[process.arch]
  if (library === undefined) return `where libfaketime is on ${process.arch} is not known`
  return existsSync(library) ? undefined : `there is no ${library}: apt-get install libfaketime`
}

/** What a process has to be started with so that its clock is off by so much all the time. */
export function skewed(seconds: number): Readonly<Record<string, string>> {
  return { ...faked(), FAKETIME: offsetText(seconds * 1_000) }
}

/**
 * The wall clock of one machine, which can be put forward and back while processes run on it. Their clocks that only count
 * on are left alone.
 */
export class FakedClock {
  readonly #path: string

  /** @param path - of a file of its own; it is made */
  constructor(path: string) {
    this.#path = path
    this.set(0)
  }

  /** What a process has to be started with to have this clock. */
  get environment(): Readonly<Record<string, string>> {
    return { ...faked(), FAKETIME_TIMESTAMP_FILE: this.#path, FAKETIME_CACHE_DURATION: '1' }
  }

  /** Processes see it within a second. @param offsetMs - by which it is ahead of the real one */
  set(offsetMs: number): void {
    // they may read at any moment
    const next = `${this.#path}.next`
    writeFileSync(next, `${offsetText(offsetMs)}\n`)
    renameSync(next, this.#path)
  }
}

function faked(): Readonly<Record<string, string>> {
  return { LD_PRELOAD: LIBRARIES[process.arch] ?? '', DONT_FAKE_MONOTONIC: '1' }
}

function offsetText(ms: number): string {
  return `${ms < 0 ? '' : '+'}${(ms / 1_000).toFixed(3)}`
}
