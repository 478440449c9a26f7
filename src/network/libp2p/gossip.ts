import type { GossipSub, GossipsubOpts } from '@libp2p/gossipsub'
import { StrictNoSign, TopicValidatorResult } from '@libp2p/gossipsub'
import type { Connection } from '@libp2p/interface'
import { SheafError } from '../../core/errors.js'
import type { Logger } from '../../core/log.js'
import type { Random } from '../../core/random.js'
import type { NodeId } from '../../domain/ids.js'
import { PUBLISH_BYTES_MAX } from '../transport.js'
import { WIRE_VERSION } from '../wire-version.js'
import { decodeGossip, encodeGossip, gossipName, PROCESS_TAG_BYTES } from './gossip-message.js'

/** Nodes of other clusters have no connection (see `admitting-encrypter.ts`), so topic names need no secret. */
const PREFIX = `/sheaf/${WIRE_VERSION}/`
/** All nodes subscribe to it and none publishes: a connected peer that is not subscribed has broken gossip streams. */
const PRESENCE = `${PREFIX}presence`

const MIB = 2 ** 20
/** How often gossipsub looks at its meshes, ms, and the streams of all peers are checked here. */
const CHECK_MS = 500
/** After so many checks without a working stream (2 s, and every 10 s) a peer is identified again. */
const IDENTIFY_CHECKS = 4
const IDENTIFY_EVERY_CHECKS = 20
/**
 * After so many (30 s) it is reconnected: agreeing on a stream's protocol alone may take 10 s. Checks are counted, not time: a
 * stall of this process says nothing about its peers.
 */
const RECONNECT_CHECKS = 60

/** Measured with five to ten nodes. See the head of `gossip-message.ts` for why messages are not signed. */
export const GOSSIP_SETTINGS: Partial<GossipsubOpts> = {
  globalSignaturePolicy: StrictNoSign,
  msgIdFn: message => gossipName(message.data),
  // A publisher sends to all connected subscribers; the mesh only has to reach the others, so it may be thin.
  floodPublish: true,
  D: 3,
  Dlo: 2,
  Dhi: 6,
  Dout: 1,
  Dlazy: 3,
  heartbeatInterval: CHECK_MS,
  allowPublishToZeroTopicPeers: true,
  ignoreDuplicatePublishError: true,
  /** One encoding for all receivers. */
  batchPublish: true,
  fallbackToFloodsub: false,
  tagMeshPeers: false,
  /** Ample for a message that comes back around a cycle; the default of two minutes holds 200 000 names under load. */
  seenTTL: 30_000,
  maxInboundDataLength: 2 * PUBLISH_BYTES_MAX,
  /** For a peer that reads nothing: its stream ends and is opened again. */
  maxOutboundBufferSize: 16 * MIB,
  /** About sixty topics (CVE-2026-46679 was a flood of subscriptions). */
  maxTopicBytesPerPeer: MIB / 16,
  // Members trust each other. Scoring would penalize ten members behind one address.
  scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 }
}

export interface GossipComponents {
  readonly random: Random
  readonly log: Logger
  readonly pubsub: GossipSub
  readonly connections: () => readonly Connection[]
  /** Identifies a peer's protocols again, which makes gossipsub open missing streams. */
  readonly identify: (connection: Connection) => Promise<unknown>
  readonly hangUp: (peer: NodeId) => Promise<void>
}

export type TopicHandler = (from: NodeId, body: Uint8Array) => void

/**
 * Publishing and subscribing over gossipsub. Gossipsub opens its streams once per peer. It does not notice when they end
 * with one of two connections, or when a peer reconnects before the end of its old connection was handled; it would then
 * stay silent for as long as the peer is connected. So each gossipsub heartbeat checks the streams of all peers.
 */
export class Gossip {
  readonly #components: GossipComponents
  readonly #self: NodeId
  readonly #processTag: Uint8Array
  #published = 0
  /** For how many checks a connected peer has had no gossip streams. */
  readonly #missing = new Map<NodeId, number>()

  constructor(components: GossipComponents, self: NodeId) {
    this.#components = components
    this.#self = self
    this.#processTag = components.random.bytes(PROCESS_TAG_BYTES)
  }

  /** To be called once gossipsub has started. */
  start(handlers: ReadonlyMap<string, TopicHandler>): void {
    const { pubsub, log } = this.#components
    const byTopic = new Map([...handlers].map(([topic, handler]) => [PREFIX + topic, handler]))
    pubsub.addEventListener('gossipsub:message', ({ detail: { msg } }) => {
      const message = decodeGossip(msg.data)
      if (message === undefined || message.from === this.#self) return
      try {
        byTopic.get(msg.topic)?.(message.from, message.body)
      } catch (err) {
        log.warn({ err, peer: message.from, topic: msg.topic }, 'refused a malformed gossip message')
      }
    })
    for (const topic of [PRESENCE, ...byTopic.keys()]) {
      pubsub.topicValidators.set(topic, (_peer, { data }) =>
        decodeGossip(data) === undefined ? TopicValidatorResult.Reject : TopicValidatorResult.Accept
      )
      pubsub.subscribe(topic)
    }
    pubsub.addEventListener('gossipsub:heartbeat', () => this.#checkPeers())
  }

  /** @throws `ERR_PEER_PROTOCOL` when the body is too large */
  publish(topic: string, body: Uint8Array): void {
    if (body.length > PUBLISH_BYTES_MAX) {
      throw new SheafError('ERR_PEER_PROTOCOL', `a message of ${body.length} bytes is larger than ${PUBLISH_BYTES_MAX}`)
    }
    const { pubsub, log } = this.#components
    const message = encodeGossip(this.#self, this.#processTag, this.#published++, body)
    pubsub.publish(PREFIX + topic, message).catch((err: unknown) => log.debug({ err, topic }, 'could not publish'))
  }

  #checkPeers(): void {
    const { pubsub } = this.#components
    const present = new Set(pubsub.getSubscribers(PRESENCE).map(String))
    const byPeer = new Map<NodeId, Connection[]>()
    for (const connection of this.#components.connections()) {
      const peer = connection.remotePeer.toString() as NodeId
      byPeer.set(peer, [...(byPeer.get(peer) ?? []), connection])
    }
    for (const peer of this.#missing.keys()) if (!byPeer.has(peer)) this.#missing.delete(peer)
    for (const [peer, connections] of byPeer) {
      if (present.has(peer) && connections.some(hasGossipStream)) this.#missing.delete(peer)
      else this.#restoreStreams(peer, connections)
    }
  }

  #restoreStreams(peer: NodeId, connections: readonly Connection[]): void {
    const { log, identify, hangUp } = this.#components
    const checks = (this.#missing.get(peer) ?? 0) + 1
    this.#missing.set(peer, checks)
    if (checks > RECONNECT_CHECKS) {
      this.#missing.delete(peer)
      log.warn({ peer }, 'a peer has no working gossip streams; reconnecting')
      hangUp(peer).catch((err: unknown) => log.debug({ err, peer }, 'could not hang up'))
    } else if (checks === IDENTIFY_CHECKS || checks % IDENTIFY_EVERY_CHECKS === 0) {
      const connection = connections.find(({ status }) => status === 'open')
      if (connection === undefined) return
      identify(connection).catch((err: unknown) => log.debug({ err, peer }, 'could not identify a peer again'))
    }
  }
}

function hasGossipStream({ status, streams }: Connection): boolean {
  return (
    status === 'open' &&
    streams.some(({ protocol, direction }) => protocol.startsWith('/meshsub/') && direction === 'outbound')
  )
}
