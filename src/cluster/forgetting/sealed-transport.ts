/*
 * Messages that bring records, or say who has which volumes, begin with a seal:
 *
 *   0   8  promise   of the sender, as it stood before the message was made: see cluster/forgetting/horizon.ts; big-endian
 *   8   8  horizon   of the sender
 *  16      the message
 *
 * A tombstone is forgotten when nobody has promised less. So what was said under a smaller promise may hold what was
 * deleted and is forgotten, however long it was under way, and is not taken.
 */
import { SheafError } from '../../core/errors.js'
import type { Hlc } from '../../domain/hlc.js'
import type { NodeId } from '../../domain/ids.js'
import type { RequestHandler, Transport } from '../../network/transport.js'
import { METHOD_GET, METHOD_LEAVES, METHOD_NODES, METHOD_PUT } from '../../replication/records/anti-entropy-messages.js'

const SEAL_BYTES = 16

export interface Seal {
  readonly promise: Hlc
  readonly horizon: Hlc
}

/** Decides what may come in. */
export interface SealKeeper {
  /** This node's own seal now. */
  seal(): Seal
  /**
   * Called for each seal that a peer shows: this node follows a greater horizon.
   *
   * @throws `ERR_PEER_BEHIND` when this node cannot follow it; `ERR_MEMBER_REMOVED` when the peer is no member
   */
  shown(peer: NodeId, seal: Seal): Promise<void>
  /** @throws `ERR_PEER_BEHIND`, `ERR_MEMBER_REMOVED`: what comes under this seal is not taken */
  require(peer: NodeId, seal: Seal): void
  /** Whether what the peer says without a seal may be followed. */
  trusts(peer: NodeId): boolean
}

/** Requests whose body, and answer, is sealed. */
const REQUESTS: ReadonlySet<string> = new Set([
  METHOD_NODES,
  METHOD_LEAVES,
  METHOD_GET,
  METHOD_PUT,
  'volume.heads',
  'horizon.state',
  'horizon.heads'
])
/** Of these, those that bring something in. The others only ask: who is behind has to. */
const OFFERS: ReadonlySet<string> = new Set([METHOD_PUT])
/** Hints that are passed over from peers that are not trusted. */
const HINTS: ReadonlySet<string> = new Set(['volume.head', 'volume.ack', 'volume.bytes'])
const TOPICS: ReadonlySet<string> = new Set(['records'])

/** @returns the transport as the replication uses it: sealed messages are sealed and opened, what may not come in does not */
export function sealedTransport(transport: Transport, keeper: SealKeeper): Transport {
  const open = async (peer: NodeId, bytes: Uint8Array): Promise<{ readonly seal: Seal; readonly body: Uint8Array }> => {
    const opened = opensSeal(bytes)
    await keeper.shown(peer, opened.seal)
    return opened
  }
  const sealedHandler =
    (method: string, handler: RequestHandler): RequestHandler =>
    async (peer, bytes, signal) => {
      const { seal, body } = await open(peer, bytes)
      if (OFFERS.has(method)) keeper.require(peer, seal)
      const own = keeper.seal() // before anything is read for the answer
      return sealed(own, await handler(peer, body, signal))
    }
  return {
    self: transport.self,
    get version() {
      return transport.version
    },
    versionOf: peer => transport.versionOf(peer),
    requireFormat: format => transport.requireFormat(format),
    start: () => transport.start(),
    stop: () => transport.stop(),
    addresses: () => transport.addresses(),
    dial: (address, signal) => transport.dial(address, signal),
    hangUp: peer => transport.hangUp(peer),
    peers: () => transport.peers(),
    onPeer: listener => transport.onPeer(listener),
    onDiscovered: listener => transport.onDiscovered(listener),
    notify: (peer, method, body) => transport.notify(peer, method, body),
    fetch: (peer, method, body, signal) => transport.fetch(peer, method, body, signal),
    handleFetch: (method, handler) => transport.handleFetch(method, handler),
    handle: (method, handler) => {
      if (REQUESTS.has(method)) transport.handle(method, sealedHandler(method, handler))
      else if (HINTS.has(method)) {
        transport.handle(method, async (peer, body, signal) =>
          keeper.trusts(peer) ? handler(peer, body, signal) : new Uint8Array()
        )
      } else transport.handle(method, handler)
    },
    request: async (peer, method, body, signal) => {
      if (!REQUESTS.has(method)) return transport.request(peer, method, body, signal)
      const answer = await open(peer, await transport.request(peer, method, sealed(keeper.seal(), body), signal))
      keeper.require(peer, answer.seal)
      return answer.body
    },
    publish: (topic, body) => transport.publish(topic, TOPICS.has(topic) ? sealed(keeper.seal(), body) : body),
    subscribe: (topic, handler) => {
      if (!TOPICS.has(topic)) return transport.subscribe(topic, handler)
      transport.subscribe(topic, (from, bytes) => {
        try {
          const { seal, body } = opensSeal(bytes)
          keeper.require(from, seal)
          handler(from, body)
        } catch (err) {
          if (!(err instanceof SheafError)) throw err // a hint that is not taken; the comparison of trees brings it
        }
      })
    }
  }
}

function sealed({ promise, horizon }: Seal, body: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(SEAL_BYTES + body.byteLength)
  bytes.writeBigUInt64BE(promise, 0)
  bytes.writeBigUInt64BE(horizon, 8)
  bytes.set(body, SEAL_BYTES)
  return bytes
}

/** @throws `ERR_PEER_PROTOCOL` */
function opensSeal(bytes: Uint8Array): { readonly seal: Seal; readonly body: Uint8Array } {
  if (bytes.byteLength < SEAL_BYTES) throw new SheafError('ERR_PEER_PROTOCOL', 'a peer sent a message without its seal')
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const seal = { promise: view.readBigUInt64BE(0) as Hlc, horizon: view.readBigUInt64BE(8) as Hlc }
  return { seal, body: bytes.subarray(SEAL_BYTES) }
}
