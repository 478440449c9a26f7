import { LRUCache } from 'lru-cache'
import { abortable } from '../core/abortable.js'
import type { Clock } from '../core/clock.js'
import { withDeadline } from '../core/deadline.js'
import type { Logger } from '../core/log.js'
import type { Directory } from '../directory/directory.js'
import { type DirectoryRecord, type RecordKey, recordName } from '../domain/record.js'

/** How long somebody waits for what peers know, ms. */
const ASK_MS_MAX = 200
/** For so long nobody is asked again for what all of them do not know, or some could not be asked for, ms. */
const ABSENT_MS = 5_000
const UNHEARD_MS = 1_000
const REMEMBERED_MAX = 10_000

/** `absent`: no member has it. `unheard`: not all of them could be asked. */
export type Unknown = 'absent' | 'unheard'

export interface RecordLookupComponents {
  readonly directory: Pick<Directory, 'lookUp'>
  /** Merges what the peers know of a record into the directory. @returns whether every member has answered */
  readonly fetchRecord?: ((key: RecordKey) => Promise<boolean>) | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Finds records that were written on another node a moment ago. */
export class RecordLookup {
  readonly #components: RecordLookupComponents
  readonly #asking = new Map<string, Promise<Unknown>>()
  readonly #unknown = new LRUCache<string, { readonly answer: Unknown; readonly untilMs: number }>({
    max: REMEMBERED_MAX
  })

  constructor(components: RecordLookupComponents) {
    this.#components = components
  }

  /** @returns the record as it is here; `buried` where only a grave is left of it. @throws `ERR_DIRECTORY_UNAVAILABLE` */
  here(key: RecordKey): DirectoryRecord | 'buried' | undefined {
    const { stored, grave } = this.#components.directory.lookUp(key)
    return stored?.record ?? (grave && 'buried')
  }

  /**
   * Asks the peers for what is unknown here, for 200 ms at most, and not again for the same a moment later.
   *
   * @returns what is not here afterwards; undefined: it is
   * @throws `ERR_DIRECTORY_UNAVAILABLE`
   */
  async fetch(key: RecordKey): Promise<Unknown | undefined> {
    if (this.here(key) !== undefined) return undefined
    const { fetchRecord, clock } = this.#components
    if (fetchRecord === undefined) return 'absent'
    const name = recordName(key)
    const known = this.#unknown.get(name)
    if (known !== undefined && known.untilMs > clock.monotonic()) return known.answer
    const asking = this.#asking.get(name) ?? this.#ask(key, fetchRecord).finally(() => this.#asking.delete(name))
    this.#asking.set(name, asking)
    const answer = await asking
    if (this.here(key) !== undefined) return undefined
    this.#unknown.set(name, { answer, untilMs: clock.monotonic() + (answer === 'absent' ? ABSENT_MS : UNHEARD_MS) })
    return answer
  }

  async #ask(key: RecordKey, fetchRecord: (key: RecordKey) => Promise<boolean>): Promise<Unknown> {
    const { clock, log } = this.#components
    try {
      const isComplete = await withDeadline(clock, ASK_MS_MAX, undefined, signal => abortable(fetchRecord(key), signal))
      return isComplete ? 'absent' : 'unheard'
    } catch (err) {
      log.debug({ err, kind: key.kind }, 'could not ask the peers for a record')
      return 'unheard'
    }
  }
}
