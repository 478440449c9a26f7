import type { VersionRange } from '../domain/formats.js'

/**
 * The version of what nodes say to each other. It stands in the names of all protocols and topics, so nodes of different
 * wire versions have no connection (`libp2p/older-version.ts` says how the newer one tells). It covers the handshake, the
 * frames of requests and bulk answers, and the meaning of every message.
 *
 * It rises only when a node of the version before could do harm or could be harmed, and then all nodes of a cluster have to
 * be upgraded together. Whatever else changes is told apart within the handshake (`node-version.ts`), or by fields
 * that an older node ignores.
 *
 *   1   to November 2026: the handshake tells nothing of versions
 *   2   the handshake tells the record formats and the program's version
 */
export const WIRE_VERSION = 2

/**
 * Versions of messages that carry one. Two nodes use the greatest that both know (`greatestCommon`); nodes without one refuse
 * each other when they connect.
 */
export const TREE_VERSIONS: VersionRange = { min: 2, max: 2 }
export const GOSSIP_VERSIONS: VersionRange = { min: 1, max: 1 }
