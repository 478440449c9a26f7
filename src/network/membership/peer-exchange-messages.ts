/*
 * Peer exchange: nodes tell each other the addresses of members. Bodies are CBOR maps (see network/rpc/message.ts).
 *
 *   member.peers  request  {} → {peers: [{id, addresses}]}   members that the answering node lists, without itself
 */
import type { Value } from '../../domain/cbor.js'
import type { NodeId } from '../../domain/ids.js'
import { encodeMessage, invalidField, Message } from '../rpc/message.js'
import { ADDRESS_CHARACTERS_MAX, ADDRESSES_MAX, boundedAddresses } from './heartbeat.js'
import type { KnownPeer } from './join.js'

export const PEERS_MAX = 1_000

const NODE_ID = /^[\x21-\x7e]{1,128}$/

export function encodePeers(peers: readonly KnownPeer[]): Uint8Array {
  const list = peers.slice(0, PEERS_MAX).map(
    ({ id, addresses }) =>
      new Map<string, Value>([
        ['id', id],
        ['addresses', boundedAddresses(addresses)]
      ])
  )
  return encodeMessage({ peers: list })
}

/** @throws `ERR_PEER_PROTOCOL` */
export function decodePeers(body: Uint8Array): KnownPeer[] {
  return Message.decode(body).list('peers', PEERS_MAX, peer => ({
    id: nodeId(peer),
    addresses: peer.texts('addresses', ADDRESSES_MAX, ADDRESS_CHARACTERS_MAX)
  }))
}

function nodeId(message: Message): NodeId {
  const id = message.text('id', 128)
  if (!NODE_ID.test(id)) throw invalidField('id')
  return id as NodeId
}
