import './promise-with-resolvers.js'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { createLibp2p, type Libp2p } from 'libp2p'
import { SheafError } from '../../core/errors.js'
import { WIRE_VERSION } from '../wire-version.js'
import { type AdmittingEncrypterInit, admittingEncrypter } from './admitting-encrypter.js'
import { GOSSIP_SETTINGS } from './gossip.js'
import { olderVersion } from './older-version.js'
import { PENDING_MAX, type PendingConnections } from './pending-connections.js'
import { KEEP_ALIVE_MS } from './silence-watch.js'
import { sparingYamux } from './sparing-yamux.js'

/** Opening a connection to one address, with encryption and admission, ms. The dialer ends it sooner, by time that it was awake. */
const CONNECT_MS = 60_000
/** The same at the accepting end: as long as the dialer waits. */
const ADMIT_MS = 15_000
/** Agreeing on the protocol of a stream, ms. */
const NEGOTIATE_MS = 10_000
const MDNS_INTERVAL_MS = 3_000

const KIB = 1024

export interface Libp2pNodeInit {
  readonly privateKey: Ed25519PrivateKey
  /** Multiaddrs to listen on. */
  readonly listen: readonly string[]
  /** Chooses, of the addresses that the node listens on, those to announce by identify and mDNS. */
  readonly announce: (addresses: readonly string[]) => readonly string[]
  readonly admission: Omit<AdmittingEncrypterInit, 'self'>
  readonly pending: PendingConnections
  /** Tags of the clusters to look for on the local network; none: mDNS is off. */
  readonly mdnsTags: readonly string[]
  /** Called for every mDNS answer (libp2p's own event comes only once per peer). */
  readonly onDiscovered: (addresses: readonly string[]) => void
}

export type Libp2pNode = Libp2p<{ identify: Identify; pubsub: GossipSub }>

/** @returns a libp2p node, not started; of Sheaf it knows only the admission */
export async function createLibp2pNode(init: Libp2pNodeInit): Promise<Libp2pNode> {
  const { privateKey, listen, announce, admission, pending, mdnsTags, onDiscovered } = init
  return await createLibp2p({
    privateKey,
    start: false,
    nodeInfo: { name: 'sheaf', version: String(WIRE_VERSION) },
    addresses: {
      listen: [...listen],
      announceFilter: addresses => {
        const announced = new Set(announce(addresses.map(String)))
        return addresses.filter(address => announced.has(address.toString()))
      }
    },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    // In the order in which they are proposed to a node that is dialed.
    connectionEncrypters: [
      admittingEncrypter({ ...admission, self: peerIdFromPrivateKey(privateKey) }),
      olderVersion(admission)
    ],
    streamMuxers: [
      // A larger window than a stream's buffer (4 MiB) would end streams with slow readers.
      sparingYamux({
        keepAliveInterval: KEEP_ALIVE_MS,
        streamOptions: { initialStreamWindowSize: 256 * KIB, maxStreamWindowSize: 2 * KIB * KIB }
      })
    ],
    peerDiscovery: mdnsTags.map(tag => components => {
      const discovery = mdns({ serviceTag: `_sheaf-${tag}._udp.local`, interval: MDNS_INTERVAL_MS })(components)
      discovery.addEventListener('peer', ({ detail: { id, multiaddrs } }) =>
        onDiscovered(multiaddrs.map(address => `${address}/p2p/${id}`))
      )
      return discovery
    }),
    connectionManager: {
      dialTimeout: CONNECT_MS,
      addressDialTimeout: CONNECT_MS,
      inboundUpgradeTimeout: ADMIT_MS,
      inboundStreamProtocolNegotiationTimeout: NEGOTIATE_MS,
      outboundStreamProtocolNegotiationTimeout: NEGOTIATE_MS,
      // Behind the bounds of `pending`: where these are reached libp2p refuses the new one, be it a member's.
      inboundConnectionThreshold: 2_000,
      maxIncomingPendingConnections: 4 * PENDING_MAX
    },
    connectionGater: {
      // called first for each incoming connection; it never denies
      denyInboundConnection: connection => {
        pending.add(connection, connection.remoteAddr.getComponents()[0]?.value ?? '')
        return false
      }
    },
    connectionMonitor: { enabled: false }, // see silence-watch.ts
    services: {
      identify: identify(),
      pubsub: gossipsub(GOSSIP_SETTINGS)
    }
  })
}

/** @returns the error for an address that cannot be listened on; `cause` itself when it has another reason */
export function listenError(cause: unknown, address: string): unknown {
  const text = cause instanceof Error ? cause.message : ''
  if (text.includes('EADDRINUSE')) {
    return new SheafError('ERR_ADDRESS_IN_USE', `${address} is in use; choose another address with --p2p`, { cause })
  }
  const reason = /E(ACCES|ADDRNOTAVAIL|AFNOSUPPORT|INVAL)/.exec(text)?.[0]
  if (reason === undefined) return cause
  return new SheafError('ERR_CONFIG', `cannot listen on ${address} (${reason}); choose another address with --p2p`, {
    cause
  })
}
