import type { MessageStream, SecuredConnection } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { byteStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'

export interface OlderNode {
  readonly libp2p: Libp2p
  /** What its handshakes came to: it refused the other side, or was refused by it. */
  readonly outcomes: ('refused it' | 'was refused')[]
}

/** A node of wire version 1 that admits nobody, for lack of the right key. */
export async function olderNode(): Promise<OlderNode> {
  const outcomes: OlderNode['outcomes'] = []
  const handshake = async ({ connection }: SecuredConnection<unknown>, initiator: boolean): Promise<never> => {
    const bytes = byteStream<MessageStream>(connection)
    await bytes.write(Buffer.alloc(32, 1))
    await bytes.read({ bytes: 32 })
    if (initiator) {
      await bytes.write(Buffer.alloc(64, 2))
      const verdict = (await bytes.read({ bytes: 1 })).get(0)
      if (verdict !== 0) throw new Error(`a verdict of ${verdict}`)
      outcomes.push('was refused')
    } else {
      await bytes.read({ bytes: 64 })
      await bytes.write(Uint8Array.of(0))
      outcomes.push('refused it')
    }
    throw new Error('its cluster name or key differs')
  }
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [
      components => {
        const inner = noise()(components)
        return {
          protocol: '/sheaf/1/noise',
          secureInbound: async (connection, options) =>
            await handshake(await inner.secureInbound(connection, options), false),
          secureOutbound: async (connection, options) =>
            await handshake(await inner.secureOutbound(connection, options), true)
        }
      }
    ],
    streamMuxers: [yamux()]
  })
  return { libp2p, outcomes }
}
