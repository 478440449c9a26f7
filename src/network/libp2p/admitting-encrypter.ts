import type {
  ConnectionEncrypter,
  MessageStream,
  PeerId,
  SecureConnectionOptions,
  SecuredConnection
} from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { byteStream } from '@libp2p/utils'
import { SheafError } from '../../core/errors.js'
import type { Random } from '../../core/random.js'
import { admit } from './admission.js'

type NoiseComponents = Parameters<ReturnType<typeof noise>>[0]
type Encrypted = SecuredConnection<unknown>

/** Another version of the handshake has another name; a node of any other network ends at this name. */
const PROTOCOL = '/sheaf/1/noise'

/** Copying more than this together would cost more than it saves. */
const WHOLE_BYTES_MAX = 16 * 1024

/** Constant, for it has to be recognised where libp2p keeps of an error only its text. */
const SELF = 'this is the node itself'

export interface AdmittingEncrypterInit {
  readonly self: PeerId
  readonly secrets: readonly Uint8Array[]
  readonly random: Random
  /** Told of each node that was refused, or refused this one. */
  readonly onRefused: (peer: PeerId, err: SheafError) => void
  /** Told of each connection to the network over which a node has been admitted. */
  readonly onAdmitted: (connection: MessageStream) => void
}

/**
 * Noise, then {@link admit} inside it, as one step of opening a connection. To libp2p, and so to every protocol over it
 * (identify, ping, gossipsub, our own), a connection exists only when both sides have proven to be of one cluster: there
 * is nothing that could answer a stranger.
 *
 * Decided against pnet, libp2p's own means: a second cipher under all bytes, which costs 7–8 ms of CPU for each MB and a
 * half to two thirds of the throughput, cannot accept an older key, and cannot tell a stranger from noise on the line.
 * A proof costs one round trip and four hashes for each connection, and nothing afterwards. Decided against a
 * `connectionGater` with a proof over a protocol of its own: other protocols would have to wait for it one by one.
 */
export function admittingEncrypter(init: AdmittingEncrypterInit): (components: NoiseComponents) => ConnectionEncrypter {
  return components => {
    const inner = noise()(components)
    return {
      protocol: PROTOCOL,
      secureInbound: async (connection, options) => {
        sendWhole(connection)
        return await admitted(connection, await inner.secureInbound(connection, options), false, init, options)
      },
      secureOutbound: async (connection, options) => {
        sendWhole(connection)
        return await admitted(connection, await inner.secureOutbound(connection, options), true, init, options)
      }
    }
  }
}

/**
 * Has each small message go out in one write. Noise hands over a message as its length and its bytes, and libp2p's TCP makes
 * a system call and a packet of each, which wakes the other end twice: that costs a sixth of all CPU of small requests.
 */
function sendWhole(connection: MessageStream): void {
  const send = connection.send.bind(connection)
  connection.send = data => {
    const small = !(data instanceof Uint8Array) && data.byteLength <= WHOLE_BYTES_MAX
    return send(small ? data.subarray() : data)
  }
}

/** @returns whether the error began with a connection of a node to itself */
export function isSelfDial(err: unknown): boolean {
  if (err instanceof AggregateError) return err.errors.some(isSelfDial)
  return err instanceof Error && err.message.includes(SELF)
}

async function admitted(
  connection: MessageStream,
  secured: Encrypted,
  initiator: boolean,
  init: AdmittingEncrypterInit,
  options: SecureConnectionOptions | undefined
): Promise<Encrypted> {
  const { self, secrets, random, onRefused, onAdmitted } = init
  const peer = secured.remotePeer
  if (peer.equals(self)) throw new Error(SELF)
  const bytes = byteStream<MessageStream>(secured.connection)
  const limits = options?.signal === undefined ? {} : { signal: options.signal }
  try {
    await admit({
      initiator,
      self: self.toMultihash().bytes,
      peer: peer.toMultihash().bytes,
      secrets,
      random,
      read: async byteCount => (await bytes.read({ ...limits, bytes: byteCount })).subarray(),
      write: async sent => await bytes.write(sent, limits)
    })
  } catch (err) {
    if (err instanceof SheafError) onRefused(peer, err)
    throw err
  }
  onAdmitted(connection)
  return { ...secured, connection: bytes.unwrap() }
}
