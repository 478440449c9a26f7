import { SheafError } from '../../src/core/errors.js'
import { RECORD_FORMATS } from '../../src/domain/formats.js'
import type { NodeId } from '../../src/domain/ids.js'
import { ownVersion } from '../../src/network/node-version.js'
import type { RequestHandler } from '../../src/network/transport.js'
import type { AntiEntropyComponents } from '../../src/replication/records/anti-entropy.js'

/** Two ends without a network between them. */
export class CountingWire {
  bytes = 0
  requests = 0
  readonly #handlers = new Map<string, RequestHandler>()

  end(self: string): AntiEntropyComponents['transport'] {
    return {
      version: ownVersion('bench', RECORD_FORMATS),
      versionOf: () => undefined,
      self: self as NodeId,
      onPeer: () => () => {},
      handle: (method, handler) => this.#handlers.set(`${self} ${method}`, handler),
      request: async (peer, method, body, signal) => {
        const handler = this.#handlers.get(`${peer} ${method}`)
        if (handler === undefined) throw new SheafError('ERR_PEER_PROTOCOL')
        const answer = await handler(self as NodeId, body, signal)
        this.requests++
        this.bytes += body.length + answer.length
        return answer
      }
    }
  }
}
