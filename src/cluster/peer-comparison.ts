/*
 * Comparing what two nodes hold. Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   replica.state  request  {} → {directory, volumes: [{volume, bytes, digest}]}
 *                    directory  text, hex: digest of the directory; empty while it cannot be read
 *                    bytes      of the longest verified prefix of the volume
 *                    digest     text, hex: of the needles in it; volumes with equal bytes and digest are equal
 */
import type { Clock } from '../core/clock.js'
import { withDeadline } from '../core/deadline.js'
import { hasCode } from '../core/errors.js'
import type { Logger } from '../core/log.js'
import type { Directory } from '../directory/directory.js'
import type { Value } from '../domain/cbor.js'
import { type NodeId, parseVolumeId, type VolumeId } from '../domain/ids.js'
import { VOLUME_BYTES_MAX } from '../domain/needle.js'
import { encodeMessage, invalidField, Message } from '../network/rpc/message.js'
import type { Transport } from '../network/transport.js'
import { VOLUME_NUMBERS } from '../volumes/needle-index.js'
import type { Head } from '../volumes/volume.js'
import type { VolumeSet } from '../volumes/volume-set.js'

const METHOD = 'replica.state'
/** Heads of volumes with holes are read from the disk. */
const ASK_MS_MAX = 60_000
/** Differences that disappear within this time were writes in flight. */
const QUIET_MS_MAX = 10_000
const RETRY_MS = 500
/** Of one member; the first ones suffice for a diagnosis. */
const DIFFERENCES_MAX = 100
const DIGEST = /^[0-9a-f]{0,64}$/
const TEXT_MAX = 64

export interface PeerComparisonComponents {
  readonly transport: Pick<Transport, 'request' | 'handle'>
  readonly directory: Pick<Directory, 'digest'>
  readonly volumes: Pick<VolumeSet, 'volumes'>
  readonly isRetired: (volume: VolumeId) => boolean
  readonly clock: Clock
  readonly log: Logger
  /** All members but this node, absent ones too. */
  readonly others: () => readonly { readonly id: NodeId; readonly name: string }[]
  /** Those of them that can be asked now. */
  readonly reachable: () => readonly NodeId[]
}

/** How a member's data compares with this node's. */
export interface MemberComparison {
  readonly id: NodeId
  readonly name: string
  readonly state: 'same' | 'differs' | 'unreachable'
  /** For people; at most {@link DIFFERENCES_MAX}. */
  readonly differences: readonly string[]
}

interface ReplicaState {
  readonly directory: string
  readonly volumes: ReadonlyMap<VolumeId, Head>
}

/** Compares what this node holds with every other member: directories by their digests, volumes by their heads. */
export class PeerComparison {
  readonly #components: PeerComparisonComponents

  constructor(components: PeerComparisonComponents) {
    this.#components = components
    components.transport.handle(METHOD, async () => encodeState(await this.#state()), { relayed: true })
  }

  /**
   * Asks all members. As long as some differ, all are asked again, up to QUIET_MS_MAX: recent writes may be in flight.
   *
   * @param progress - called with how many members equal this node or are unreachable, and with the number of members
   */
  async run(
    progress: (done: number, total: number) => void,
    signal: AbortSignal
  ): Promise<readonly MemberComparison[]> {
    const { clock, others } = this.#components
    const beganMs = clock.monotonic()
    for (;;) {
      const members = others()
      const own = await this.#state()
      const compared = await Promise.all(members.map(member => this.#compare(member, own, signal)))
      const differing = compared.filter(({ state }) => state === 'differs').length
      progress(compared.length - differing, compared.length)
      if (differing === 0 || clock.monotonic() - beganMs >= QUIET_MS_MAX) return compared
      await clock.sleep(RETRY_MS, signal)
    }
  }

  async #compare(
    { id, name }: { readonly id: NodeId; readonly name: string },
    own: ReplicaState,
    signal: AbortSignal
  ): Promise<MemberComparison> {
    const { transport, clock, log, reachable } = this.#components
    try {
      if (!reachable().includes(id)) return { id, name, state: 'unreachable', differences: [] }
      const answer = await withDeadline(clock, ASK_MS_MAX, signal, limit =>
        transport.request(id, METHOD, encodeMessage({}), limit)
      )
      const differences = [...differencesBetween(own, decodeState(answer))].slice(0, DIFFERENCES_MAX)
      return { id, name, state: differences.length === 0 ? 'same' : 'differs', differences }
    } catch (err) {
      signal.throwIfAborted()
      log.info({ err, peer: id }, 'could not ask a member what it holds; reporting it as unreachable')
      return { id, name, state: 'unreachable', differences: [] }
    }
  }

  async #state(): Promise<ReplicaState> {
    const { volumes, isRetired } = this.#components
    const heads = new Map<VolumeId, Head>()
    for (const volume of volumes.volumes()) if (!isRetired(volume.id)) heads.set(volume.id, await volume.head())
    return { directory: this.#directoryDigest(), volumes: heads }
  }

  #directoryDigest(): string {
    try {
      return this.#components.directory.digest()
    } catch (err) {
      if (hasCode(err, 'ERR_DIRECTORY_UNAVAILABLE')) return ''
      throw err
    }
  }
}

function* differencesBetween(own: ReplicaState, theirs: ReplicaState): Generator<string> {
  if (theirs.directory === '') yield 'its directory cannot be read now'
  else if (own.directory === '') yield 'the directory of this node cannot be read now'
  else if (own.directory !== theirs.directory) yield 'its directory differs'
  for (const [volume, head] of own.volumes) {
    const there = theirs.volumes.get(volume)
    if (there === undefined) yield `it lacks volume ${volume}`
    else if (there.bytes < head.bytes) yield `it has ${there.bytes} of ${head.bytes} intact bytes of volume ${volume}`
    else if (there.bytes > head.bytes)
      yield `this node has ${head.bytes} of ${there.bytes} intact bytes of volume ${volume}`
    else if (there.digest !== head.digest) yield `its needles in volume ${volume} differ`
  }
  for (const volume of theirs.volumes.keys()) {
    if (!own.volumes.has(volume)) yield `this node lacks volume ${volume}`
  }
}

function encodeState({ directory, volumes }: ReplicaState): Uint8Array {
  const heads = Array.from(
    volumes,
    ([volume, { bytes, digest }]) =>
      new Map<string, Value>([
        ['bytes', bytes],
        ['digest', digest],
        ['volume', volume]
      ])
  )
  return encodeMessage({ directory, volumes: heads })
}

/** @throws `ERR_PEER_PROTOCOL` */
function decodeState(body: Uint8Array): ReplicaState {
  const message = Message.decode(body)
  const volumes = message.list('volumes', VOLUME_NUMBERS, head => {
    const volume = head.text('volume', TEXT_MAX)
    if (parseVolumeId(volume) === undefined) throw invalidField('volume')
    return [
      volume as VolumeId,
      { bytes: head.uint('bytes', VOLUME_BYTES_MAX), digest: digestIn(head, 'digest') }
    ] as const
  })
  return { directory: digestIn(message, 'directory'), volumes: new Map(volumes) }
}

function digestIn(message: Message, name: string): string {
  const digest = message.text(name, TEXT_MAX)
  if (!DIGEST.test(digest)) throw invalidField(name)
  return digest
}
