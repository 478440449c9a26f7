import { type FileHandle, open } from 'node:fs/promises'
import { count, printable } from '../shell/human.js'
import { describeError, errorJson, printJson, type Session } from '../shell/session.js'
import type { FoundFile } from './walk.js'

/** What became of a file, and how many that were. */
export const OUTCOMES = {
  uploaded: 'uploaded',
  present: 'there already',
  merged: 'there already, and more is known of it now',
  trashed: 'deleted before, so left out (--include-trashed takes it)',
  sidecar: 'sidecars, read',
  sidecar_alone: 'sidecars of which the photo is not there',
  no_media: 'no photos or films',
  empty: 'empty',
  ignored: 'passed over by their names',
  unreadable: 'cannot be read',
  changed: 'changed again and again while they were read',
  failed: 'failed'
} as const
export type Outcome = keyof typeof OUTCOMES

export const FAILURES: ReadonlySet<Outcome> = new Set(['unreadable', 'changed', 'failed'])

export interface ImportedFile {
  readonly shown: string
  readonly outcome: Outcome
  /** Absent where the walk went no further. */
  readonly file?: FoundFile
  readonly photoId?: string | undefined
  /** By which a name was passed over. */
  readonly rule?: string
  readonly error?: unknown
}

/** Counts what becomes of each file; the counts sum up to the files seen. */
export class ImportReport {
  readonly #session: Session
  readonly #file: FileHandle | undefined
  readonly #counts = new Map<Outcome, number>()

  private constructor(session: Session, file: FileHandle | undefined) {
    this.#session = session
    this.#file = file
  }

  /** @param path - a line of JSON for each file goes there; undefined: nowhere. @throws system errors */
  static async open(session: Session, path: string | undefined): Promise<ImportReport> {
    return new ImportReport(session, path === undefined ? undefined : await open(path, 'w'))
  }

  get hasFailed(): boolean {
    return [...FAILURES].some(outcome => this.#counts.has(outcome))
  }

  async add({ shown, outcome, photoId, rule, error }: ImportedFile): Promise<void> {
    this.#counts.set(outcome, (this.#counts.get(outcome) ?? 0) + 1)
    const isFailure = FAILURES.has(outcome)
    const reason = error === undefined ? undefined : errorJson(error)
    const line = { file: shown, outcome, photo_id: photoId, rule, error: reason }
    await this.#file?.appendFile(`${JSON.stringify(line)}\n`)
    if (this.#session.json) await printJson(this.#session, line)
    if (isFailure) {
      const why = error === undefined ? OUTCOMES[outcome] : describeError(error)
      this.#session.terminal.note(`sheaf: ${printable(shown)}: ${why}`)
    }
  }

  /** @returns all counts in a line, such as `3 uploaded, 1 present` */
  totals(): string {
    return Array.from(this.#counts, ([outcome, n]) => `${n} ${outcome.replaceAll('_', ' ')}`).join(', ')
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }

  /** Prints the counts. */
  async print(isDry: boolean): Promise<void> {
    const { terminal, json } = this.#session
    const seen = [...this.#counts.values()].reduce((sum, n) => sum + n, 0)
    if (json) return printJson(this.#session, { seen, dry_run: isDry, ...Object.fromEntries(this.#counts) })
    for (const [outcome, meaning] of Object.entries(OUTCOMES)) {
      const n = this.#counts.get(outcome as Outcome)
      if (n !== undefined) await terminal.print(`${String(n).padStart(8)}  ${meaning}`)
    }
    await terminal.print(`${String(seen).padStart(8)}  ${count(seen, 'file').slice(String(seen).length + 1)} seen`)
    if (isDry) await terminal.print('Nothing was sent: this was a dry run.')
  }
}
