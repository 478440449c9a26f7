import { SheafError } from '../../src/core/errors.js'
import { type ActorId, type VolumeId, volumeId } from '../../src/domain/ids.js'
import { isOfDirectory, type NeedleIdentity, needleBytes } from '../../src/domain/needle.js'
import type {
  CommitGroup,
  CommittedNeedle,
  NeedleDraft,
  NeedleLease,
  NeedleLocation,
  NeedleStore
} from '../../src/volumes/needle-store.js'

const SUPERBLOCK_BYTES = 256
const PIECE_BYTES = 65_536

export interface StoredNeedle {
  readonly identity: NeedleIdentity
  readonly header: NeedleDraft['header']
  readonly location: NeedleLocation
  readonly data: Uint8Array
  damaged: boolean
}

/** A needle store in memory, for tests: one commit group per append, faults on demand. */
export class MemoryNeedleStore implements NeedleStore {
  /** Asked before each append; what it returns is thrown and nothing is stored. */
  failAppend: (drafts: readonly NeedleDraft[], purpose: 'upload' | 'upkeep') => Error | undefined = () => undefined
  /** Awaited before each append takes effect, so that a test can hold one up. */
  beforeAppend: (drafts: readonly NeedleDraft[]) => Promise<void> = () => Promise.resolve()
  /** A test may set another one, as a failed write does: the next append begins another volume. */
  epoch: ActorId
  /** All groups committed, in order. */
  readonly groups: CommitGroup[] = []
  readonly purposes: string[] = []
  leases = 0
  reads = 0
  readonly #onCommit: (group: CommitGroup) => Promise<void>
  readonly #needles: StoredNeedle[] = []
  /** Where the next needle of each volume goes. */
  readonly #ends = new Map<VolumeId, number>()
  #tail: Promise<unknown> = Promise.resolve()

  constructor(components: { readonly epoch: ActorId; readonly onCommit: (group: CommitGroup) => Promise<void> }) {
    this.epoch = components.epoch
    this.#onCommit = components.onCommit
  }

  get volume(): VolumeId {
    return volumeId(this.epoch, 1)
  }

  get needles(): readonly StoredNeedle[] {
    return this.#needles
  }

  append(drafts: readonly NeedleDraft[], purpose: 'upload' | 'upkeep'): Promise<NeedleLocation[]> {
    const done = this.#tail.then(async () => {
      await this.beforeAppend(drafts)
      const failure = this.failAppend(drafts, purpose)
      if (failure !== undefined) throw failure
      this.purposes.push(purpose)
      return this.#commit(drafts)
    })
    this.#tail = done.catch(() => undefined)
    return done
  }

  locate(identity: NeedleIdentity): NeedleLocation[] {
    const wanted = keyOf(identity)
    return this.#needles.filter(needle => keyOf(needle.identity) === wanted).map(needle => needle.location)
  }

  async read(location: NeedleLocation, identity: NeedleIdentity): Promise<Uint8Array> {
    this.reads++
    return this.#intact(location, identity).data.slice()
  }

  readSync(location: NeedleLocation, identity: NeedleIdentity): NeedleLease {
    this.reads++
    const { data } = this.#intact(location, identity)
    this.leases++
    return { data, release: () => void this.leases-- }
  }

  async *readRange(
    location: NeedleLocation,
    identity: NeedleIdentity,
    start: number,
    end: number
  ): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += PIECE_BYTES) {
      this.reads++
      yield this.#intact(location, identity).data.slice(at, Math.min(at + PIECE_BYTES, end))
    }
  }

  /** From now on the needles that match fail to be read, as after a flipped bit. */
  damage(matches: (needle: StoredNeedle) => boolean): void {
    for (const needle of this.#needles) if (matches(needle)) needle.damaged = true
  }

  /** Forgets the needles that match, as when their volume was compacted away. */
  drop(matches: (needle: StoredNeedle) => boolean): void {
    for (const needle of this.#needles.filter(matches)) this.#needles.splice(this.#needles.indexOf(needle), 1)
  }

  /** Appends the needles that match once more, so that they have another copy. */
  async copy(matches: (needle: StoredNeedle) => boolean): Promise<void> {
    await this.append(
      this.#needles.filter(matches).map(({ header, data }) => ({ header, data })),
      'upkeep'
    )
  }

  async #commit(drafts: readonly NeedleDraft[]): Promise<NeedleLocation[]> {
    const { volume } = this
    const from = this.#ends.get(volume) ?? SUPERBLOCK_BYTES
    let to = from
    const committed: CommittedNeedle[] = []
    for (const { header, data } of drafts) {
      const { kind, id, generation, alternateKey, chunk } = header
      const identity: NeedleIdentity = { kind, id, generation, alternateKey, chunk }
      const location = { volume, offset: to, length: data.length }
      const kept = Uint8Array.from(data)
      this.#needles.push({ identity, header, location, data: kept, damaged: false })
      to += needleBytes(data.length)
      const base = { ...identity, kind, flags: header.flags, location }
      committed.push(isOfDirectory(kind) ? { ...base, data: kept } : base)
    }
    this.#ends.set(volume, to)
    const group = { volume, from, to, needles: committed }
    this.groups.push(group)
    await this.#onCommit(group)
    return committed.map(needle => needle.location)
  }

  #intact(location: NeedleLocation, identity: NeedleIdentity): StoredNeedle {
    const found = this.#needles.find(
      needle => needle.location.volume === location.volume && needle.location.offset === location.offset
    )
    if (found === undefined || found.damaged || keyOf(found.identity) !== keyOf(identity)) {
      throw new SheafError('ERR_NEEDLE_CORRUPT')
    }
    return found
  }
}

function keyOf({ kind, id, generation, alternateKey, chunk }: NeedleIdentity): string {
  return `${kind} ${Buffer.from(id).toString('hex')} ${generation} ${alternateKey} ${chunk}`
}
