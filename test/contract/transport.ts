import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SheafError } from '../../src/core/errors.js'
import { invariant } from '../../src/core/invariant.js'
import type { NodeId } from '../../src/domain/ids.js'
import { PUBLISH_BYTES_MAX, REQUEST_BYTES_MAX, type Transport } from '../../src/network/transport.js'
import { type Deferred, deferred } from '../support/deferred.js'

/** A separate network, on which time passes by itself. */
export interface TransportNetwork {
  /** @returns a transport that is not started; nodes with different keys are different clusters */
  create(clusterKey?: string): Promise<Transport>
  /** Stops all transports that were created. */
  close(): Promise<void>
}

const MIB = 2 ** 20
/** How far a handler may run ahead of its reader: windows and buffers on both sides. */
const LEAD_BYTES_MAX = 8 * MIB

const never = new AbortController().signal
const bytes = (text: string): Uint8Array => Buffer.from(text)
const text = (body: Uint8Array): string => Buffer.from(body).toString()

/** The contract of every {@link Transport}. */
export function transportContract(name: string, openNetwork: () => Promise<TransportNetwork>): void {
  describe(`a transport over ${name}`, () => {
    let network: TransportNetwork
    let client: Transport
    let server: Transport

    beforeEach(async () => {
      network = await openNetwork()
      client = await network.create()
      server = await network.create()
      server.handle('echo', async (_peer, body) => body)
    })

    afterEach(async () => {
      await network.close()
    })

    const connect = async (from: Transport, to: Transport): Promise<void> => {
      const up = event(to, from.self, 'up')
      const address = to.addresses()[0]
      invariant(address !== undefined, 'a started transport has an address')
      expect(await from.dial(address, never)).toBe(to.self)
      await up
    }

    const start = async (): Promise<void> => {
      await Promise.all([client.start(), server.start()])
      await connect(client, server)
    }

    const echo = (body: Uint8Array = bytes('hello')): Promise<Uint8Array> =>
      client.request(server.self, 'echo', body, never)

    /** Waits for that many requests and answers, one after the other. */
    const roundTrips = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await echo()
    }

    describe('connections', () => {
      it('are reported to both sides, up and down, once each', async () => {
        const events: string[] = []
        await Promise.all([client.start(), server.start()])
        client.onPeer((peer, state) => events.push(`client ${state} ${peer}`))
        server.onPeer((peer, state) => events.push(`server ${state} ${peer}`))
        await connect(client, server)
        expect(client.peers()).toEqual([server.self])
        expect(server.peers()).toEqual([client.self])
        const down = Promise.all([event(client, server.self, 'down'), event(server, client.self, 'down')])
        await client.hangUp(server.self)
        await down
        expect(client.peers()).toEqual([])
        expect(server.peers()).toEqual([])
        expect(events.sort()).toEqual([
          `client down ${server.self}`,
          `client up ${server.self}`,
          `server down ${client.self}`,
          `server up ${client.self}`
        ])
      })

      it('can be opened again after one has ended', async () => {
        await start()
        const down = event(client, server.self, 'down')
        await server.hangUp(client.self)
        await down
        await expect(echo()).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
        await connect(client, server)
        expect(text(await echo())).toBe('hello')
      })

      it('are not duplicated by dialing again, with a peer id or without', async () => {
        await start()
        const events: string[] = []
        client.onPeer((_peer, state) => events.push(state))
        const address = server.addresses()[0] as string
        expect(await client.dial(address, never)).toBe(server.self)
        expect(await client.dial(address.replace(/\/p2p\/.*/, ''), never)).toBe(server.self)
        await roundTrips(20)
        expect(client.peers()).toEqual([server.self])
        expect(events).toEqual([])
      })

      it('tell the dialer when the network has opened them', async () => {
        await Promise.all([client.start(), server.start()])
        const address = server.addresses()[0] as string
        const steps: string[] = []
        client.onPeer((_peer, state) => steps.push(state))
        await client.dial(address, never, () => void steps.push('open'))
        expect(steps).toEqual(['open', 'up'])
        const down = event(client, server.self, 'down')
        await server.stop()
        await down
        await expect(client.dial(address, never, () => void steps.push('open again'))).rejects.toThrow()
        expect(steps).toEqual(['open', 'up', 'down'])
      })

      it('are usable when both sides have dialed at once', async () => {
        await Promise.all([client.start(), server.start()])
        client.handle('echo', async (_peer, body) => body)
        await Promise.all([
          client.dial(server.addresses()[0] as string, never),
          server.dial(client.addresses()[0] as string, never)
        ])
        expect(text(await echo())).toBe('hello')
        expect(text(await server.request(client.self, 'echo', bytes('back'), never))).toBe('back')
        expect(client.peers()).toEqual([server.self])
      })

      it('to the node itself are not opened', async () => {
        await client.start()
        for (const address of client.addresses()) {
          expect(await client.dial(address, never)).toBeUndefined()
          expect(await client.dial(address.replace(/\/p2p\/.*/, ''), never)).toBeUndefined()
        }
        expect(client.peers()).toEqual([])
      })

      it('fail where no node listens, and where another node does', async () => {
        await Promise.all([client.start(), server.start()])
        const [address] = server.addresses()
        const other = client.self
        await expect(client.dial(`${address}`.replace(server.self, await absentId()), never)).rejects.toMatchObject({
          code: 'ERR_PEER_UNREACHABLE'
        })
        await server.stop()
        await expect(client.dial(address as string, never)).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
        expect(client.peers()).toEqual([])
        expect(other).toBe(client.self)
      })

      it('between clusters are refused, whichever side dials, and never reported', async () => {
        const stranger = await network.create('another key')
        const events: string[] = []
        for (const transport of [server, stranger]) transport.onPeer((_peer, state) => events.push(state))
        await Promise.all([server.start(), stranger.start()])
        for (const [from, to] of [
          [server, stranger],
          [stranger, server]
        ] as const) {
          await expect(from.dial(to.addresses()[0] as string, never)).rejects.toMatchObject({
            code: 'ERR_PEER_REFUSED'
          })
        }
        expect(events).toEqual([])
        expect([...server.peers(), ...stranger.peers()]).toEqual([])
      })

      it('end when a transport stops; `stop` may be called twice', async () => {
        await start()
        const down = event(client, server.self, 'down')
        await server.stop()
        await server.stop()
        await down
        await expect(echo()).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
      })
    })

    describe('a request', () => {
      it('is answered, and the handler gets the requesting peer', async () => {
        server.handle('who', async (peer, body) => bytes(`${peer} ${text(body)}`))
        await start()
        expect(text(await client.request(server.self, 'who', bytes('x'), never))).toBe(`${client.self} x`)
        expect(await client.request(server.self, 'echo', new Uint8Array(0), never)).toHaveLength(0)
      })

      it('does not wait for others: hundreds are in flight at once, answered in any order', async () => {
        const waiting: (() => void)[] = []
        server.handle('late', async (_peer, body) => {
          await new Promise<void>(resolve => waiting.push(resolve))
          return body
        })
        await start()
        const count = 200
        const answers = Array.from({ length: count }, (_, i) =>
          client.request(server.self, 'late', bytes(`${i}`), never)
        )
        await Promise.all(
          Array.from({ length: count }, async (_, i) => expect(text(await echo(bytes(`e${i}`)))).toBe(`e${i}`))
        )
        while (waiting.length < count) await echo()
        for (const resolve of waiting.reverse()) resolve()
        expect((await Promise.all(answers)).map(text)).toEqual(Array.from({ length: count }, (_, i) => `${i}`))
      })

      it('is queued when a thousand are sent at once', async () => {
        await start()
        const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => echo(bytes(`${i}`))))
        expect(answers.map(text)).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i}`))
      })

      it('fails with the code and the message of a SheafError that the handler threw', async () => {
        server.handle('fail', async () => {
          throw new SheafError('ERR_NO_SUCH_VOLUME', 'volume 7 is not here')
        })
        await start()
        await expect(client.request(server.self, 'fail', bytes(''), never)).rejects.toMatchObject({
          name: 'SheafError',
          code: 'ERR_NO_SUCH_VOLUME',
          message: 'volume 7 is not here'
        })
      })

      it('fails with ERR_INTERNAL, without the message, when the handler threw any other error', async () => {
        server.handle('bug', async () => {
          throw new TypeError('a secret')
        })
        await start()
        const error = await client.request(server.self, 'bug', bytes(''), never).catch((err: unknown) => err)
        expect(error).toMatchObject({ name: 'SheafError', code: 'ERR_INTERNAL' })
        expect(JSON.stringify([String(error), error])).not.toContain('secret')
        expect(text(await echo())).toBe('hello')
      })

      it('for a method without a handler fails with ERR_PEER_PROTOCOL, without harm to others', async () => {
        await start()
        const others = Promise.all([echo(), echo()])
        await expect(client.request(server.self, 'no.such', bytes(''), never)).rejects.toMatchObject({
          code: 'ERR_PEER_PROTOCOL'
        })
        await others
        expect(text(await echo())).toBe('hello')
      })

      it('rejects with the reason of its signal, and aborts the handler', async () => {
        const handling = deferred<AbortSignal>()
        server.handle('wait', async (_peer, _body, signal) => {
          handling.resolve(signal)
          await aborted(signal)
          return bytes('too late')
        })
        await start()
        const controller = new AbortController()
        const reason = new Error('changed my mind')
        const answer = client.request(server.self, 'wait', bytes(''), controller.signal)
        const signal = await handling.promise
        controller.abort(reason)
        await expect(answer).rejects.toBe(reason)
        await aborted(signal)
        expect(text(await echo())).toBe('hello')
      })

      it('with an aborted signal is not sent', async () => {
        let asked = 0
        server.handle('count', async (_peer, body) => {
          asked++
          return body
        })
        await start()
        const reason = new Error('before')
        await expect(client.request(server.self, 'count', bytes(''), AbortSignal.abort(reason))).rejects.toBe(reason)
        await roundTrips(3)
        expect(asked).toBe(0)
      })

      it('fails when the peer disconnects before it has answered', async () => {
        const handling = deferred<void>()
        server.handle('wait', async (_peer, _body, signal) => {
          handling.resolve()
          await aborted(signal)
          return bytes('')
        })
        await start()
        const answer = client.request(server.self, 'wait', bytes(''), never)
        answer.catch(() => {}) // asserted below
        await handling.promise
        await server.stop()
        await expect(answer).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
      })

      it('aborts the handler when the requesting node disconnects', async () => {
        const handling = deferred<AbortSignal>()
        server.handle('wait', async (_peer, _body, signal) => {
          handling.resolve(signal)
          await aborted(signal)
          return bytes('')
        })
        await start()
        client.request(server.self, 'wait', bytes(''), never).catch(() => {})
        const signal = await handling.promise
        await client.stop()
        await aborted(signal)
      })

      it('to a node that is not connected fails', async () => {
        await start()
        await expect(client.request(await absentId(), 'echo', bytes(''), never)).rejects.toMatchObject({
          code: 'ERR_PEER_UNREACHABLE'
        })
      })

      it('may be as large as allowed, and no larger', async () => {
        await start()
        const largest = Buffer.alloc(REQUEST_BYTES_MAX, 'large')
        expect(largest.equals(await echo(largest))).toBe(true)
        const tooLarge = new Uint8Array(REQUEST_BYTES_MAX + 1)
        await expect(echo(tooLarge)).rejects.toMatchObject({ code: 'ERR_PEER_PROTOCOL' })
        server.handle('large', async () => tooLarge)
        await expect(client.request(server.self, 'large', bytes(''), never)).rejects.toBeInstanceOf(SheafError)
        expect(text(await echo())).toBe('hello')
      })
    })

    describe('a notification', () => {
      it('arrives, and the result of its handler is dropped', async () => {
        const received = deferred<string>()
        let refused = 0
        server.handle('refuse', async () => {
          refused++
          throw new SheafError('ERR_PEER_PROTOCOL', 'not understood')
        })
        server.handle('hear', async (peer, body) => {
          received.resolve(`${peer} ${text(body)}`)
          return new Uint8Array(0)
        })
        await start()
        client.notify(server.self, 'refuse', bytes(''))
        client.notify(server.self, 'no.such', bytes(''))
        client.notify(server.self, 'hear', bytes('news'))
        expect(await received.promise).toBe(`${client.self} news`)
        expect(text(await echo())).toBe('hello')
        expect(refused).toBe(1)
      })

      it('that is urgent arrives beside requests and notifications that wait, however many and large', async () => {
        const [full, released] = [deferred<void>(), deferred<void>()]
        const beaten = deferred<string>()
        let waiting = 0
        server.handle('wait', async () => {
          if (++waiting === 256) full.resolve()
          await released.promise
          return new Uint8Array(0)
        })
        server.handle('beat', async (_peer, body) => {
          beaten.resolve(text(body))
          return new Uint8Array(0)
        })
        await start()
        const asked = Array.from({ length: 256 }, () => client.request(server.self, 'wait', bytes(''), never))
        await full.promise
        for (let i = 0; i < 8; i++) client.notify(server.self, 'wait', new Uint8Array(MIB))
        client.notify(server.self, 'beat', bytes('alive'), { urgent: true })
        expect(await beaten.promise).toBe('alive')
        released.resolve()
        await Promise.all(asked)
      })

      it('to a node that is not connected is lost', async () => {
        await start()
        client.notify(await absentId(), 'echo', bytes(''))
        await server.stop()
        client.notify(server.self, 'echo', bytes(''))
      })
    })

    describe('a fetch', () => {
      /** Bytes that the handler of 'bulk' has yielded so far. */
      let yieldedBytes = 0
      let ended: Deferred<AbortSignal>

      /** Bytes that depend on their offset. */
      const pattern = (offset: number, length: number): Uint8Array => {
        const piece = Buffer.alloc(length)
        for (let i = 0; i < length; i++) piece[i] = (offset + i) % 251
        return piece
      }

      beforeEach(async () => {
        yieldedBytes = 0
        ended = deferred()
        server.handleFetch('bulk', async function* (_peer, body, signal) {
          const [byteCount = 0, pieceBytes = 0] = text(body).split(' ').map(Number)
          try {
            while (yieldedBytes < byteCount) {
              const piece = pattern(yieldedBytes, Math.min(pieceBytes, byteCount - yieldedBytes))
              yieldedBytes += piece.length
              yield piece
            }
          } finally {
            ended.resolve(signal)
          }
        })
        server.handleFetch('fail', async function* (_peer, body) {
          yield bytes('so far so good')
          throw text(body) === '' ? new RangeError('a secret') : new SheafError('ERR_NEEDLE_CORRUPT', text(body))
        })
        server.handleFetch('stall', async function* (_peer, _body, signal) {
          try {
            yield bytes('first')
            await aborted(signal)
          } finally {
            ended.resolve(signal)
          }
        })
        await start()
      })

      const bulk = (byteCount: number, pieceBytes: number, signal = never): AsyncIterable<Uint8Array> =>
        client.fetch(server.self, 'bulk', bytes(`${byteCount} ${pieceBytes}`), signal)

      const readAll = async (pieces: AsyncIterable<Uint8Array>): Promise<Buffer> => {
        const read: Uint8Array[] = []
        for await (const piece of pieces) read.push(piece)
        return Buffer.concat(read)
      }

      it.each([
        [0, 1],
        [1, 1],
        [1_000, 7],
        [5 * MIB + 3, MIB],
        [3 * MIB + 1, 65_521],
        [9 * MIB, 9 * MIB]
      ])('gives all bytes in order: %i in pieces of %i', async (byteCount, pieceBytes) => {
        const all = await readAll(bulk(byteCount, pieceBytes))
        expect(all.equals(pattern(0, byteCount))).toBe(true)
      })

      it('does not run far ahead of a slow reader', async () => {
        const total = 40 * MIB
        let read = 0
        let pieces = 0
        let greatestLead = 0
        for await (const piece of bulk(total, MIB)) {
          expect(piece.length).toBeGreaterThan(0)
          read += piece.length
          greatestLead = Math.max(greatestLead, yieldedBytes - read)
          // time in which a handler without backpressure would yield more
          if (pieces++ === 0) await roundTrips(100)
          else if (pieces % 3 === 0 && pieces < 500) await roundTrips(2)
        }
        expect(read).toBe(total)
        expect(greatestLead).toBeLessThan(LEAD_BYTES_MAX)
      })

      it('ends when the reader leaves the loop, and its handler ends', async () => {
        for await (const piece of bulk(1_000 * MIB, MIB)) {
          expect(piece.length).toBeGreaterThan(0)
          break
        }
        await ended.promise
        expect(yieldedBytes).toBeLessThan(LEAD_BYTES_MAX)
        expect(text(await echo())).toBe('hello')
      })

      it('aborts a waiting handler when the reader leaves the loop', async () => {
        for await (const piece of client.fetch(server.self, 'stall', bytes(''), never)) {
          expect(text(piece)).toBe('first')
          break
        }
        expect((await ended.promise).aborted).toBe(true)
      })

      it('ends with the reason of its signal, and its handler ends', async () => {
        const controller = new AbortController()
        const reason = new Error('enough')
        const reading = (async () => {
          for await (const _piece of client.fetch(server.self, 'stall', bytes(''), controller.signal)) {
            controller.abort(reason)
          }
        })()
        await expect(reading).rejects.toBe(reason)
        await ended.promise
        await expect(readAll(bulk(1, 1, AbortSignal.abort(reason)))).rejects.toBe(reason)
        expect(yieldedBytes).toBe(0)
      })

      it('fails with the code of the handler’s error, after the pieces before it', async () => {
        const seen: string[] = []
        const read = async (body: string): Promise<void> => {
          for await (const piece of client.fetch(server.self, 'fail', bytes(body), never)) seen.push(text(piece))
        }
        await expect(read('block 3')).rejects.toMatchObject({ code: 'ERR_NEEDLE_CORRUPT', message: 'block 3' })
        const error = await read('').catch((err: unknown) => err)
        expect(error).toMatchObject({ code: 'ERR_INTERNAL' })
        expect(JSON.stringify([String(error), error])).not.toContain('secret')
        expect(seen).toEqual(['so far so good', 'so far so good'])
        await expect(readAll(client.fetch(server.self, 'no.such', bytes(''), never))).rejects.toMatchObject({
          code: 'ERR_PEER_PROTOCOL'
        })
      })

      it('fails when the peer disconnects meanwhile: a part is never taken for the whole', async () => {
        const read = async (): Promise<void> => {
          for await (const _piece of client.fetch(server.self, 'stall', bytes(''), never)) void server.stop()
        }
        await expect(read()).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
        expect((await ended.promise).aborted).toBe(true)
        await expect(readAll(bulk(1, 1))).rejects.toMatchObject({ code: 'ERR_PEER_UNREACHABLE' })
      })

      it('blocks neither requests nor other fetches', async () => {
        const slow = bulk(100 * MIB, MIB)[Symbol.asyncIterator]()
        await slow.next()
        await roundTrips(20)
        yieldedBytes = 0
        expect(await readAll(bulk(2 * MIB, MIB))).toHaveLength(2 * MIB)
        await slow.return?.()
      })
    })

    describe('a published message', () => {
      it('reaches all subscribers, also through third nodes, but not its publisher', async () => {
        const far = await network.create()
        const received = new Map<Transport, string[]>([client, server, far].map(node => [node, []]))
        const reached = deferred<void>()
        for (const [node, messages] of received) {
          node.subscribe('topic', (from, body) => {
            messages.push(`${from} ${text(body)}`)
            if ([server, far].every(other => (received.get(other)?.length ?? 0) > 0)) reached.resolve()
          })
          node.subscribe('other', () => messages.push('on another topic'))
        }
        await Promise.all([start(), far.start()])
        await connect(server, far)
        // the first ones may be lost: subscriptions take a moment to spread
        let done = false
        void reached.promise.then(() => {
          done = true
        })
        while (!done) {
          client.publish('topic', bytes('news'))
          await echo()
        }
        const expected = `${client.self} news`
        expect(new Set(received.get(server))).toEqual(new Set([expected]))
        expect(new Set(received.get(far))).toEqual(new Set([expected]))
        expect(received.get(client)).toEqual([])
      })

      it('may be as large as allowed, and no larger; an equal one is another message', async () => {
        const largest = Buffer.alloc(PUBLISH_BYTES_MAX, 'p')
        const received: number[] = []
        const twice = deferred<void>()
        server.subscribe('topic', (_from, body) => {
          received.push(body.length)
          if (received.length === 2) twice.resolve()
        })
        client.subscribe('topic', () => {})
        await start()
        let done = false
        void twice.promise.then(() => {
          done = true
        })
        while (!done) {
          client.publish('topic', largest)
          await roundTrips(5)
        }
        expect(received.slice(0, 2)).toEqual([PUBLISH_BYTES_MAX, PUBLISH_BYTES_MAX])
        expect(() => client.publish('topic', new Uint8Array(PUBLISH_BYTES_MAX + 1))).toThrow(SheafError)
      })
    })

    /** @returns the id of a node that is not running */
    const absentId = async (): Promise<NodeId> => (await network.create()).self
  })
}

/** Waits until `transport` reports the state of `peer`; at once when it is in that state. */
function event(transport: Transport, peer: NodeId, state: 'up' | 'down'): Promise<void> {
  return new Promise(resolve => {
    const unlisten = transport.onPeer((other, now) => {
      if (other === peer && now === state) done()
    })
    const done = (): void => {
      unlisten()
      resolve()
    }
    if (transport.peers().includes(peer) === (state === 'up')) done()
  })
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
