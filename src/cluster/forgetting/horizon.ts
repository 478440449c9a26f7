import { SheafError, systemErrorCode } from '../../core/errors.js'
import type { FileSystem } from '../../core/file-system.js'
import type { Logger } from '../../core/log.js'
import type { Directory } from '../../directory/directory.js'
import { formatHlc, HLC_MAX, HLC_ZERO, type Hlc, type HybridClock, parseHlc } from '../../domain/hlc.js'
import type { NodeId } from '../../domain/ids.js'
import type { Seal, SealKeeper } from './sealed-transport.js'

/**
 * What a node has promised, each for good. It lies in a file of its own beside the volumes, and is not in the directory,
 * where peers would tell a node that was put back to an old state what it promised in the one that it lost.
 */
export interface Promises {
  /** No stamp up to here is still on its way into this node's log, or will ever be given. */
  readonly settled: Hlc
  /** All that members wrote up to here is applied here, and every delete among it stands in the log of this node. */
  readonly applied: Hlc
  /**
   * No needle of a photo that was deleted up to here is held here, nor will be: whatever anybody wrote of it before having
   * applied the delete was here, and is gone.
   */
  readonly clean: Hlc
  /** The least `clean` of all members, as far as known: deletes up to here may be forgotten. */
  readonly horizon: Hlc
}

const NOTHING: Promises = { settled: HLC_ZERO, applied: HLC_ZERO, clean: HLC_ZERO, horizon: HLC_ZERO }
const NAMES = ['settled', 'applied', 'clean', 'horizon'] as const

export interface HorizonComponents {
  readonly self: NodeId
  readonly fileSystem: Pick<FileSystem, 'readFile' | 'writeFileAtomic'>
  readonly directory: Pick<Directory, 'forgetting' | 'state'>
  readonly hybridClock: Pick<HybridClock, 'pass'>
  readonly log: Logger
  /** Whether the node was a member and is none any more. */
  readonly isOut: (node: NodeId) => boolean
  /** Called after each time that the horizon has risen. */
  readonly onRise?: () => void
}

/** What this node has promised, and which promises it has seen: the judge of what may come in. */
export class Horizon implements SealKeeper {
  readonly #components: HorizonComponents
  readonly #path: string
  readonly #shown = new Map<NodeId, Seal>()
  #promises = NOTHING
  /** One write of the file after the other. */
  #saving: Promise<unknown> = Promise.resolve()
  /** A peer whose horizon this node cannot follow: it has to catch up with it first. */
  #ahead: NodeId | undefined
  /** Up to where this node has to be clean before it offers anything. */
  #target: Hlc = HLC_ZERO
  /** The others may have made promises without this node: it has to follow these first. */
  #isReturning = false
  #hasFollowed = false

  constructor(components: HorizonComponents, path: string) {
    this.#components = components
    this.#path = path
  }

  /** Before anything is stamped or said. A damaged file is as good as none: then the node catches up as a new one does. */
  async load(): Promise<void> {
    const { fileSystem, hybridClock, log } = this.#components
    const bytes = await fileSystem.readFile(this.#path)
    const found = bytes === undefined ? NOTHING : parse(bytes)
    if (found === undefined) log.error({ path: this.#path }, 'what this node has promised cannot be read')
    this.#promises = found ?? NOTHING
    for (const name of NAMES) hybridClock.pass(this.#promises[name])
  }

  /** Once the directory is complete; again when it was rebuilt. */
  async restore(): Promise<void> {
    await this.#components.directory.forgetting.raise(this.#promises.horizon)
  }

  get promises(): Promises {
    return this.#promises
  }

  /** @returns the peer whose horizon this node has to catch up with, if any */
  get ahead(): NodeId | undefined {
    return this.#ahead
  }

  /** @returns up to where this node has to be clean before it offers anything; it is behind while it is not */
  get target(): Hlc {
    const { horizon } = this.#promises
    return this.#target > horizon ? this.#target : horizon
  }

  /**
   * This node was out, and is let in again. What it holds may have been forgotten by somebody although the horizon that it
   * is shown has yet to tell: so it first follows all that one of the others has promised, which no horizon is above.
   */
  returns(): void {
    this.#isReturning = true
    this.#hasFollowed = false
  }

  /** What a peer last showed; undefined when this process has heard nothing of it. */
  of(peer: NodeId): Seal | undefined {
    return this.#shown.get(peer)
  }

  /**
   * Promises more. Nobody hears of it before it is durable.
   *
   * @throws the disk's error, as `ERR_DISK_WRITE`: then nothing was promised
   */
  promise(more: Partial<Promises>): Promise<void> {
    const saved = this.#saving.then(async () => {
      const next = greater(this.#promises, more)
      if (NAMES.every(name => next[name] === this.#promises[name])) return
      await this.#save(next)
      this.#promises = next
    })
    this.#saving = saved.catch(() => {}) // reported to whoever awaits `saved`
    return saved
  }

  /** Follows a horizon that this node's own promise has reached. */
  async rise(horizon: Hlc): Promise<void> {
    const { directory, log, onRise } = this.#components
    if (horizon <= this.#promises.horizon || horizon > this.#promises.clean) return
    await this.promise({ horizon })
    await directory.forgetting.raise(horizon)
    log.debug({ horizon: formatHlc(horizon) }, 'the horizon has risen')
    onRise?.()
  }

  /**
   * Takes the horizon of others over that this node's own promise has not reached. Until that has, it offers nothing: its
   * seal says so.
   *
   * @param promise - of the node that is followed; one that returns has to reach that, too
   */
  async follow(horizon: Hlc, promise: Hlc): Promise<void> {
    if (this.#isReturning) this.#target = promise
    this.#hasFollowed = true
    const { directory, hybridClock, onRise } = this.#components
    hybridClock.pass(horizon)
    await this.promise({ horizon })
    await directory.forgetting.raise(horizon)
    this.#ahead = undefined
    onRise?.()
  }

  /** What a peer said does not count any more: its connection has ended. */
  gone(peer: NodeId): void {
    this.#shown.delete(peer)
  }

  /**
   * When all that are there return or are behind, as after both sides of a partition gave the other one up, then nobody is
   * left to follow but the one that has promised most: no horizon among them is above that.
   */
  #lead(): void {
    const { clean, horizon: own } = this.#promises
    const { self } = this.#components
    const isFirst = [...this.#shown].every(([peer, { promise, horizon }]) => {
      if (horizon !== HLC_MAX) return promise < own
      return promise < clean || (promise === clean && self < peer)
    })
    if (!this.#isReturning || !isFirst) return
    this.#isReturning = false
    this.#ahead = undefined
  }

  // --- what may come in ---

  /** That of a node which returns can be followed by nobody, so nothing that it brings is taken. */
  seal(): Seal {
    const { clean, horizon } = this.#promises
    if (this.#isReturning && this.#hasFollowed && clean >= this.target) this.#isReturning = false
    return { promise: clean, horizon: this.#isReturning ? HLC_MAX : horizon }
  }

  async shown(peer: NodeId, seal: Seal): Promise<void> {
    if (this.#components.isOut(peer)) throw new SheafError('ERR_MEMBER_REMOVED')
    this.#shown.set(peer, seal)
    this.#lead()
    const { horizon: own } = this.#promises
    const canLead = seal.promise >= seal.horizon && seal.promise >= own
    if (this.#isReturning && !this.#hasFollowed && canLead) this.#ahead = peer
    if (seal.horizon <= this.#promises.horizon) return
    if (seal.horizon > this.#promises.clean) {
      if (seal.promise >= seal.horizon) this.#ahead = peer
      throw new SheafError('ERR_PEER_BEHIND', 'this node has missed what the others have forgotten; it catches up')
    }
    if (this.#components.directory.state === 'open') await this.rise(seal.horizon)
  }

  require(peer: NodeId, { promise, horizon }: Seal): void {
    if (this.#components.isOut(peer)) throw new SheafError('ERR_MEMBER_REMOVED')
    if (promise < this.#promises.horizon) throw new SheafError('ERR_PEER_BEHIND', 'the other node has yet to catch up')
    if (horizon > this.#promises.horizon) throw new SheafError('ERR_PEER_BEHIND', 'this node has yet to catch up')
  }

  trusts(peer: NodeId): boolean {
    const { clean, horizon } = this.#promises
    const shown = this.#shown.get(peer)
    if (this.#components.isOut(peer)) return false
    return shown === undefined ? clean === HLC_ZERO : shown.promise >= horizon && shown.horizon <= clean
  }

  async #save(promises: Promises): Promise<void> {
    const text = JSON.stringify(Object.fromEntries(NAMES.map(name => [name, formatHlc(promises[name])])))
    try {
      await this.#components.fileSystem.writeFileAtomic(this.#path, Buffer.from(`${text}\n`))
    } catch (cause) {
      const full = systemErrorCode(cause) === 'ENOSPC'
      throw new SheafError(full ? 'ERR_DISK_FULL' : 'ERR_DISK_WRITE', undefined, {
        cause,
        details: { path: this.#path }
      })
    }
  }
}

function greater(before: Promises, more: Partial<Promises>): Promises {
  const of = (name: keyof Promises): Hlc => {
    const stamp = more[name] ?? HLC_ZERO
    return stamp > before[name] ? stamp : before[name]
  }
  return { settled: of('settled'), applied: of('applied'), clean: of('clean'), horizon: of('horizon') }
}

/** @returns undefined for what `Horizon` does not write */
function parse(bytes: Uint8Array): Promises | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return undefined
  }
  if (typeof fields !== 'object' || fields === null) return undefined
  const stamps = NAMES.map(name => {
    const text: unknown = Reflect.get(fields, name)
    return typeof text === 'string' ? parseHlc(text) : undefined
  })
  const [settled, applied, clean, horizon] = stamps
  if (settled === undefined || applied === undefined || clean === undefined || horizon === undefined) return undefined
  return { settled, applied, clean, horizon }
}
