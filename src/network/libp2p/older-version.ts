/*
 * The handshake of wire version 1, as far as it takes to refuse:
 *
 *   step  from       bytes  field
 *   1     both       32     nonce
 *   2     initiator  64     two proofs
 *   3     responder  1      0: refused, nothing follows
 */
import type { ConnectionEncrypter, MessageStream, SecuredConnection } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { byteStream } from '@libp2p/utils'
import type { SheafError } from '../../core/errors.js'
import { WIRE_VERSION } from '../wire-version.js'
import type { AdmittingEncrypterInit } from './admitting-encrypter.js'
import { refusedHere } from './refusal.js'

type NoiseComponents = Parameters<ReturnType<typeof noise>>[0]

const OLDER_VERSION = 1
const NONCE_BYTES = 32
const PROOFS_BYTES = 64

/**
 * Takes part in the handshake of wire version 1 only to refuse the other node, whichever of the two dialed. With no common
 * protocol at all, the older node would log nothing and dial without an end, once a second. Told 0, it logs its one refusal
 * ("name or key differs") and waits for five seconds; and this node learns what the other one is, and can say so.
 *
 * Nothing is proven to the older node, and nothing of it is checked: whether it has the right key will be seen once it is
 * upgraded.
 */
export function olderVersion(
  init: Pick<AdmittingEncrypterInit, 'random' | 'onRefused'>
): (components: NoiseComponents) => ConnectionEncrypter {
  return components => {
    const inner = noise()(components)
    const refuse = async (
      connection: MessageStream,
      { connection: encrypted, remotePeer }: SecuredConnection<unknown>,
      initiator: boolean,
      signal: AbortSignal | undefined
    ): Promise<SheafError> => {
      const bytes = byteStream(encrypted)
      const limits = signal === undefined ? {} : { signal }
      await bytes.write(init.random.bytes(NONCE_BYTES), limits)
      await bytes.read({ ...limits, bytes: NONCE_BYTES })
      if (initiator) {
        await bytes.write(init.random.bytes(PROOFS_BYTES), limits)
        await bytes.read({ ...limits, bytes: 1 })
      } else {
        await bytes.read({ ...limits, bytes: PROOFS_BYTES })
        await bytes.write(Uint8Array.of(0), limits)
      }
      const refusal = refusedHere(
        `it runs an older version of Sheaf (wire version ${OLDER_VERSION}; this node: ${WIRE_VERSION}); ` +
          'all nodes have to be upgraded together, see UPGRADING.md'
      )
      init.onRefused(remotePeer, refusal, connection)
      return refusal
    }
    return {
      protocol: `/sheaf/${OLDER_VERSION}/noise`,
      secureInbound: async (connection, options) => {
        throw await refuse(connection, await inner.secureInbound(connection, options), false, options?.signal)
      },
      secureOutbound: async (connection, options) => {
        throw await refuse(connection, await inner.secureOutbound(connection, options), true, options?.signal)
      }
    }
  }
}
