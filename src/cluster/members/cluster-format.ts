import type { Clock } from '../../core/clock.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'
import { WorkerLoop } from '../../core/worker-loop.js'
import type { Directory } from '../../directory/directory.js'
import { FIRST_GATED_FORMATS, type FormatRange } from '../../domain/formats.js'
import type { NodeId } from '../../domain/ids.js'
import { conflictVersions, type DirectoryRecord, shownVersion } from '../../domain/record.js'
import { integerOf } from '../../domain/value-fields.js'
import type { Transport } from '../../network/transport.js'
import type { RecordWriter } from '../../store/record-writer.js'
import type { MemberRoll } from './member-roll.js'

const FORMAT_KEY = { kind: 'cluster', id: 'format' } as const
const FORMAT_LAST = 0xffff
/** A node that never met another may be about to: it waits for that many rounds. */
const LONE_ROUNDS = 60
/** Between two lines that this node is left behind. */
const WARN_ROUNDS = 6

export interface ClusterFormatComponents {
  readonly directory: Pick<Directory, 'formats' | 'getMany' | 'onChange'>
  readonly writer: Pick<RecordWriter, 'write'>
  readonly transport: Pick<Transport, 'self' | 'peers' | 'versionOf' | 'requireFormat'>
  readonly roll: Pick<MemberRoll, 'others' | 'isLast' | 'formatsOf'>
  /** Whether this node has left, or was removed. */
  readonly isOut: () => boolean
  /** Compares directories with a peer. @returns whether all of them was compared */
  readonly compare: (peer: NodeId, signal: AbortSignal) => Promise<boolean>
  readonly clock: Clock
  readonly log: Logger
}

export interface ClusterFormatInit {
  readonly roundMs: number
  /** Whether the operator wants it to join others: until it has met one, it does not speak for a cluster. */
  readonly isToJoin: boolean
}

/**
 * The greatest record format that may be written in the cluster. It rises when all members read more, those included that
 * are absent, and never falls: records of that format may be anywhere. Whoever does not read it is refused.
 *
 * It is a record of its own, so that it is durable and a node that was away learns of it. Its value is the greatest of all
 * its versions, so that rises on both sides of a partition merge.
 */
export class ClusterFormat implements Startable {
  readonly #components: ClusterFormatComponents
  readonly #loop: WorkerLoop
  readonly #isToJoin: boolean
  #current: number
  #rounds = 0
  #loneRounds = 0
  #unsubscribe: (() => void) | undefined

  constructor(components: ClusterFormatComponents, init: ClusterFormatInit) {
    const { clock, log, directory } = components
    this.#components = components
    this.#current = directory.formats.min
    this.#isToJoin = init.isToJoin
    this.#loop = new WorkerLoop(
      { clock, log },
      { name: 'cluster format', idleMs: init.roundMs, delayMs: init.roundMs, step: signal => this.#step(signal) }
    )
  }

  /** To be called once the directory is complete, before the transport starts. */
  async start(): Promise<void> {
    const { directory } = this.#components
    this.#unsubscribe = directory.onChange(changes => {
      for (const { after } of changes) if (after !== undefined && isFormat(after)) this.#note(formatIn(after))
    })
    const [stored] = await directory.getMany([FORMAT_KEY]) // not of a record that this version cannot read
    this.#note(formatIn(stored?.record))
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    await this.#loop.stop()
  }

  get current(): number {
    return this.#current
  }

  /** Whether the cluster has gone on without this program: it can read only part of what there is. */
  get isBeyond(): boolean {
    return this.#current > this.#components.directory.formats.max
  }

  /** @returns the formats that a node reads; undefined when it never said */
  formatsOf(node: NodeId): FormatRange | undefined {
    const { transport, roll, directory } = this.#components
    if (node === transport.self) return directory.formats
    return transport.versionOf(node)?.formats ?? roll.formatsOf(node)
  }

  #note(format: number): void {
    const { transport, log } = this.#components
    if (format > this.#current) {
      this.#current = format
      log.info({ format }, 'the record format of the cluster has risen: nodes that do not read it are refused')
      this.#warn()
    }
    transport.requireFormat(this.#current)
  }

  #warn(): void {
    const { directory, log } = this.#components
    if (!this.isBeyond) return
    log.error(
      { clusterFormat: this.#current, formats: rangeOf(directory.formats) },
      'THE CLUSTER HAS A LATER RECORD FORMAT THAN THIS PROGRAM READS: it is alone and shows only part; upgrade this node'
    )
  }

  async #step(signal: AbortSignal): Promise<'idle'> {
    const { transport, compare, isOut } = this.#components
    this.#rounds += 1
    if (this.#rounds % WARN_ROUNDS === 0) this.#warn()
    if (isOut() || this.#readByAll() <= this.#current) return 'idle'
    const peers = transport.peers()
    // a member that this node has not heard of is known to those who met it
    for (const peer of peers) if (!(await compare(peer, signal))) return 'idle'
    if (this.#speaksForCluster() && !isOut()) await this.#raise(this.#readByAll())
    return 'idle'
  }

  /** Whether what this node knows of members is what the cluster knows. */
  #speaksForCluster(): boolean {
    const { transport, roll } = this.#components
    if (transport.peers().length > 0 || roll.isLast()) return true
    if (roll.others().length > 0) return false
    this.#loneRounds += 1
    return !this.#isToJoin && this.#loneRounds >= LONE_ROUNDS
  }

  /** @returns the greatest format that this node and all others read, members or about to become some */
  #readByAll(): number {
    const { directory, roll, transport } = this.#components
    const recorded = roll.others().map(({ formats = FIRST_GATED_FORMATS }) => formats)
    const connected = transport.peers().map(peer => transport.versionOf(peer)?.formats ?? FIRST_GATED_FORMATS)
    return Math.min(directory.formats.max, ...[...recorded, ...connected].map(({ max }) => max))
  }

  async #raise(format: number): Promise<void> {
    if (format <= this.#current) return
    await this.#components.writer.write(FORMAT_KEY, before => {
      if (formatIn(before) >= format) return []
      const supersedes = before && [shownVersion(before), ...conflictVersions(before)].map(({ dot }) => dot)
      return [{ kind: 'version', value: new Map([['format', format]]), ...(supersedes && { supersedes }) }]
    })
  }
}

function rangeOf({ min, max }: FormatRange): FormatRange {
  return { min, max }
}

function isFormat({ kind, id }: DirectoryRecord): boolean {
  return kind === FORMAT_KEY.kind && id === FORMAT_KEY.id
}

/** Lenient, since another node may have written the record. @returns 0 when it says nothing */
function formatIn(record: DirectoryRecord | undefined): number {
  if (record === undefined) return 0
  const formats = [shownVersion(record), ...conflictVersions(record)].map(
    ({ value }) => integerOf(value, 'format') ?? 0
  )
  return Math.max(...formats.filter(format => format <= FORMAT_LAST), 0)
}
