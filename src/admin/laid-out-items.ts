import type { Clock } from '../core/clock.js'
import { hasCode } from '../core/errors.js'
import { ALBUM_KIND } from '../domain/album.js'
import { type NodeId, parseVolumeId } from '../domain/ids.js'
import { type DirectoryRecord, shownVersion } from '../domain/record.js'
import { endedLife } from '../domain/tombstone.js'
import { textOf } from '../domain/value-fields.js'
import type { LaidOut, LaidOutRecord } from '../store/laid-out.js'

/** A photo or album that a grave has ended here before its time. */
export interface LaidOutItem {
  /** `photo` or `album`; later versions may know more. */
  readonly kind: string
  readonly id: string
  /** The life up to which the grave has ended all. */
  readonly generation: number
  /** The node that sent the grave; undefined: not known. */
  readonly from: NodeId | undefined
  /** When that was, ms since the Unix epoch. */
  readonly diedAtMs: number
  /** About when it is let go, ms since the Unix epoch; undefined: not before an operator has looked. */
  readonly untilMs: number | undefined
  /** It was deleted, and the delete could still be undone. */
  readonly wasDeleted: boolean
  /** Of an album its title. */
  readonly name: string
}

/** How much the graves of one node have ended. */
export interface LaidOutCount extends Pick<LaidOutItem, 'from' | 'untilMs'> {
  readonly count: number
}

/** Conditions that must all hold. */
export interface LaidOutFilter {
  readonly ids?: readonly string[] | undefined
  readonly by?: string | undefined
  /** Died then or later, ms since the Unix epoch. */
  readonly sinceMs?: number | undefined
}

export interface LaidOutPage {
  /** Those that died first. */
  readonly items: readonly LaidOutItem[]
  /** How many fit the filter. */
  readonly total: number
  readonly isAlarming: boolean
}

/** What an operator sees of photos and albums that are laid out, and can do with them. */
export class LaidOutItems {
  readonly #laidOut: Pick<LaidOut, 'list' | 'has' | 'read' | 'release' | 'keptForMs' | 'isAlarming'>
  readonly #clock: Clock

  constructor(components: {
    readonly laidOut: Pick<LaidOut, 'list' | 'has' | 'read' | 'release' | 'keptForMs' | 'isAlarming'>
    readonly clock: Clock
  }) {
    this.#laidOut = components.laidOut
    this.#clock = components.clock
  }

  /** Whether that is the id of an album that is laid out. */
  isAlbum(id: string): boolean {
    return this.#laidOut.has({ kind: ALBUM_KIND, id })
  }

  async list(filter: LaidOutFilter, limit: number): Promise<LaidOutPage> {
    const { isAlarming } = this.#laidOut
    const found = this.#laidOut.list().filter(fits(filter))
    const items: LaidOutItem[] = []
    for (const entry of found.sort((a, b) => a.diedAtMs - b.diedAtMs).slice(0, limit)) {
      items.push(await this.#item(entry, isAlarming))
    }
    return { items, total: found.length, isAlarming }
  }

  /** For each node whose graves have ended something here: how many, and about when the first of them is let go. */
  counts(): { readonly counts: readonly LaidOutCount[]; readonly isAlarming: boolean } {
    const { isAlarming } = this.#laidOut
    const bySender = new Map<NodeId | undefined, { readonly count: number; readonly firstMs: number }>()
    for (const entry of this.#laidOut.list()) {
      const from = senderOf(entry)
      const { count, firstMs } = bySender.get(from) ?? { count: 0, firstMs: Number.POSITIVE_INFINITY }
      bySender.set(from, { count: count + 1, firstMs: Math.min(firstMs, this.#untilMs(entry)) })
    }
    const counts = Array.from(bySender, ([from, { count, firstMs }]) => {
      return { from, count, untilMs: isAlarming ? undefined : firstMs }
    })
    return { counts, isAlarming }
  }

  /**
   * Lets go of what fits: it cannot be brought back any more.
   *
   * @returns how many photos and albums that are
   * @throws `ERR_DISK_FULL`, `ERR_DISK_WRITE`: then it may be back after a restart
   */
  release(filter: Pick<LaidOutFilter, 'ids' | 'by'>): Promise<number> {
    return this.#laidOut.release(fits(filter))
  }

  async #item(entry: LaidOutRecord, isAlarming: boolean): Promise<LaidOutItem> {
    const record = await this.#recordOf(entry)
    return {
      kind: entry.key.kind,
      id: entry.key.id,
      generation: entry.generation,
      from: senderOf(entry),
      diedAtMs: entry.diedAtMs,
      untilMs: isAlarming ? undefined : this.#untilMs(entry),
      wasDeleted: record !== undefined && endedLife(record) !== undefined,
      name: (record && nameOf(record)) ?? ''
    }
  }

  /** @returns undefined when it cannot be read: it is listed nevertheless. @throws the disk's errors */
  async #recordOf({ key }: LaidOutRecord): Promise<DirectoryRecord | undefined> {
    try {
      return await this.#laidOut.read(key)
    } catch (err) {
      if (hasCode(err, 'ERR_FORMAT_TOO_NEW')) return undefined
      throw err
    }
  }

  #untilMs(entry: LaidOutRecord): number {
    return this.#clock.now() + this.#laidOut.keptForMs(entry)
  }
}

function nameOf(record: DirectoryRecord): string | undefined {
  return textOf(shownVersion(record).value, record.kind === ALBUM_KIND ? 'title' : 'name')
}

/** @returns undefined also for a grave of a volume that is not here any more, whose writer is not known */
function senderOf({ from }: LaidOutRecord): NodeId | undefined {
  return from === '' || parseVolumeId(from) !== undefined ? undefined : (from as NodeId)
}

function fits({ ids, by, sinceMs = Number.NEGATIVE_INFINITY }: LaidOutFilter): (entry: LaidOutRecord) => boolean {
  const chosen = ids && new Set<string>(ids)
  return entry =>
    chosen?.has(entry.key.id) !== false && (by === undefined || senderOf(entry) === by) && entry.diedAtMs >= sinceMs
}
