import { generateKeyPair } from '@libp2p/crypto/keys'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import { systemRandom } from '../../src/core/random.js'
import { RECORD_FORMATS } from '../../src/domain/formats.js'
import { Libp2pTransport, type Libp2pTransportInit } from '../../src/network/libp2p/libp2p-transport.js'
import { ownVersion } from '../../src/network/node-version.js'

/** Real transports on this machine's loopback. */
export class Libp2pNetwork {
  readonly #transports: Libp2pTransport[] = []

  /** @returns a transport that is not started */
  async create(
    clusterKey = 'the key',
    init: Partial<Libp2pTransportInit> & { readonly log?: Logger; readonly clock?: Clock } = {}
  ): Promise<Libp2pTransport> {
    const { log = silentLog, clock = systemClock, ...settings } = init
    const transport = new Libp2pTransport(
      { clock, random: systemRandom, log },
      {
        privateKey: await generateKeyPair('Ed25519'),
        listen: { host: '127.0.0.1', port: 0 },
        mdns: false,
        clusterName: 'test',
        clusterKeys: [Buffer.from(clusterKey)],
        version: ownVersion('0.0.0-test', RECORD_FORMATS),
        ...settings
      }
    )
    this.#transports.push(transport)
    return transport
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.splice(0).map(transport => transport.stop()))
  }
}
