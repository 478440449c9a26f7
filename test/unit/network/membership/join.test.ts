import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { type Logger, silentLog } from '../../../../src/core/log.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { JoinLoop, type KnownPeer } from '../../../../src/network/membership/join.js'
import { SeededRandom } from '../../../support/seeded-random.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

/** Smaller than those of all other nodes here: this one dials them. */
const self = '0' as NodeId
const MINUTE = 60_000

/** What an address leads to: a node, this node itself, one that refuses or never ends the handshake, or nothing (it fails, or hangs). */
type Behind = NodeId | 'refuses' | 'fails' | 'hangs' | 'is slow'

/** A transport that can only connect. */
class World {
  readonly behind = new Map<string, Behind>()
  readonly names = new Map<string, readonly string[] | 'hangs'>()
  readonly peers = new Set<NodeId>()
  /** When each dial began, ms. */
  readonly dials: { readonly address: string; readonly atMs: number }[] = []
  /** Names that were resolved, in order. */
  readonly resolved: string[] = []
  known: KnownPeer[] = []
  dialing = 0
  dialingMax = 0
  readonly #clock: SimulatedClock
  readonly #peerListeners = new Set<(peer: NodeId, state: 'up' | 'down') => void>()
  readonly #discoveryListeners = new Set<(addresses: readonly string[]) => void>()

  constructor(clock: SimulatedClock) {
    this.#clock = clock
  }

  readonly transport = {
    self,
    peers: (): readonly NodeId[] => [...this.peers],
    onPeer: (listener: (peer: NodeId, state: 'up' | 'down') => void): (() => void) => {
      this.#peerListeners.add(listener)
      return () => this.#peerListeners.delete(listener)
    },
    onDiscovered: (listener: (addresses: readonly string[]) => void): (() => void) => {
      this.#discoveryListeners.add(listener)
      return () => this.#discoveryListeners.delete(listener)
    },
    dial: (address: string, signal: AbortSignal, onOpen?: () => void): Promise<NodeId | undefined> =>
      this.#dial(address, signal, onOpen)
  }

  readonly resolve = async (host: string): Promise<readonly string[]> => {
    this.resolved.push(host)
    const addresses = this.names.get(host)
    if (addresses === 'hangs') return await new Promise(() => {})
    if (addresses === undefined) throw Object.assign(new Error(`ENOTFOUND ${host}`), { code: 'ENOTFOUND' })
    return addresses
  }

  discover(addresses: readonly string[]): void {
    for (const listener of this.#discoveryListeners) listener(addresses)
  }

  up(peer: NodeId): void {
    if (this.peers.has(peer)) return
    this.peers.add(peer)
    for (const listener of this.#peerListeners) listener(peer, 'up')
  }

  down(peer: NodeId): void {
    this.peers.delete(peer)
    for (const listener of this.#peerListeners) listener(peer, 'down')
  }

  get listenerCount(): number {
    return this.#peerListeners.size + this.#discoveryListeners.size
  }

  /** When `address` was dialed, ms, from the given time on. */
  times(address: string, fromMs = 0): number[] {
    return this.dials.filter(dial => dial.address === address && dial.atMs >= fromMs).map(({ atMs }) => atMs)
  }

  async #dial(address: string, signal: AbortSignal, onOpen?: () => void): Promise<NodeId | undefined> {
    this.dials.push({ address, atMs: this.#clock.monotonic() })
    this.dialing++
    this.dialingMax = Math.max(this.dialingMax, this.dialing)
    try {
      const behind = this.behind.get(address) ?? 'fails'
      if (behind !== 'hangs') onOpen?.()
      return await this.#answer(behind, signal)
    } finally {
      this.dialing--
    }
  }

  async #answer(behind: Behind, signal: AbortSignal): Promise<NodeId | undefined> {
    if (behind === 'hangs' || behind === 'is slow') {
      return await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
    }
    await this.#clock.sleep(5)
    if (behind === 'refuses') throw new SheafError('ERR_PEER_REFUSED')
    if (behind === 'fails') throw new SheafError('ERR_PEER_UNREACHABLE')
    if (behind === self) return undefined
    this.up(behind)
    return behind
  }
}

function pausesOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, i) => time - (times[i] as number))
}

describe('the join loop', () => {
  let clock: SimulatedClock
  let world: World
  let loop: JoinLoop | undefined
  let messages: string[]
  let logged: object[]

  beforeEach(() => {
    clock = new SimulatedClock()
    world = new World(clock)
    messages = []
    logged = []
  })

  afterEach(async () => {
    const stopping = loop?.stop()
    loop = undefined
    await clock.advance(10)
    await stopping
    expect(clock.pending).toBe(0)
    expect(world.listenerCount).toBe(0)
  })

  const start = async (join: readonly string[], seed = 1, joinIsDefault = false): Promise<void> => {
    const say = (fields: object, message: string): void => {
      messages.push(message)
      logged.push(fields)
    }
    const log: Logger = { ...silentLog, info: say, warn: say, error: say }
    const { transport, resolve } = world
    loop = new JoinLoop(
      { clock, random: new SeededRandom(seed), log, transport, resolve, knownPeers: () => world.known },
      { join, joinIsDefault, defaultPort: 4001 }
    )
    await loop.start()
  }

  /** Places a node at an address. */
  const node = (name: string, address = `/ip4/10.0.0.${name.length}/tcp/4001`): NodeId => {
    world.behind.set(address, name as NodeId)
    return name as NodeId
  }

  test('dials every address behind a name, this node’s own as well, and leaves connected ones alone', async () => {
    world.names.set('sheaf', ['10.0.0.1', '10.0.0.2', 'fd00::3'])
    world.behind.set('/ip4/10.0.0.1/tcp/4001', self)
    node('b', '/ip4/10.0.0.2/tcp/4001')
    node('c', '/ip6/fd00::3/tcp/4001')
    await start(['sheaf'])
    await clock.advance(100)
    expect(world.dials.length).toBeGreaterThan(0) // it is alone
    await clock.advance(2_000)
    expect([...world.peers].sort()).toEqual(['b', 'c'])
    await clock.advance(MINUTE / 2)
    expect(world.dials).toHaveLength(3)
    expect(messages).toEqual([])
  })

  test('resolves names again and again: nodes that are added later are dialed, too', async () => {
    world.names.set('sheaf', ['10.0.0.1'])
    node('a', '/ip4/10.0.0.1/tcp/4001')
    await start(['sheaf:4001'])
    await clock.advance(1_000)
    world.names.set('sheaf', ['10.0.0.1', '10.0.0.2'])
    node('b', '/ip4/10.0.0.2/tcp/4001')
    await clock.advance(3_500)
    expect([...world.peers].sort()).toEqual(['a', 'b'])
  })

  test('a name that cannot be resolved is logged once, and again when it resolves', async () => {
    await start(['sheaf'])
    await clock.advance(MINUTE)
    expect(messages).toEqual(['cannot resolve a --join name; retrying without further log lines'])
    expect(logged).toEqual([{ host: 'sheaf', reason: 'ENOTFOUND' }])
    expect(world.resolved.length).toBeGreaterThan(15)
    world.names.set('sheaf', ['10.0.0.2'])
    node('b', '/ip4/10.0.0.2/tcp/4001')
    await clock.advance(3_500)
    expect(world.peers).toEqual(new Set(['b']))
    expect(messages.slice(1)).toEqual(['a --join name resolves again'])
    world.names.delete('sheaf')
    world.down('b' as NodeId)
    await clock.advance(1_000)
    expect(world.peers).toEqual(new Set(['b'])) // at the last address of the name
  })

  test('a name that nobody asked for may be missing or appear without a line', async () => {
    await start(['sheaf'], 1, true)
    await clock.advance(MINUTE)
    world.names.set('sheaf', ['10.0.0.2'])
    node('b', '/ip4/10.0.0.2/tcp/4001')
    await clock.advance(3_500)
    expect(world.peers).toEqual(new Set(['b']))
    expect(messages).toEqual([])
  })

  test('a resolver that hangs is not called twice at a time, and blocks neither other names nor the stop', async () => {
    world.names.set('slow', 'hangs')
    world.names.set('sheaf', ['10.0.0.2'])
    node('b', '/ip4/10.0.0.2/tcp/4001')
    await start(['slow', 'sheaf'])
    await clock.advance(MINUTE)
    expect(world.resolved.filter(host => host === 'slow')).toHaveLength(1)
    expect(world.peers).toEqual(new Set(['b']))
  })

  test.each([1, 2, 3])('alone it never gives up, with pauses of at most 1.5 s: seed %i', async seed => {
    const address = '/ip4/10.0.0.9/tcp/4001'
    await start([address], seed)
    await clock.advance(60 * MINUTE)
    const pauses = pausesOf(world.times(address))
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1_500 + 5)
    expect(new Set(pauses.slice(4).map(Math.round)).size).toBeGreaterThan(100) // random
    node('late', address)
    await clock.advance(1_600)
    expect(world.peers).toEqual(new Set(['late']))
    expect(messages).toEqual([])
  })

  test('alone it dials all addresses in turn', async () => {
    const addresses = Array.from({ length: 20 }, (_, i) => `/ip4/10.0.1.${i}/tcp/4001`)
    await start(addresses)
    await clock.advance(60 * MINUTE)
    for (const address of addresses) expect(Math.max(...pausesOf(world.times(address)))).toBeLessThan(20 * 1_505)
  })

  test.each([1, 2, 3])('in a cluster pauses grow to 30 s, at random: seed %i', async seed => {
    const address = '/ip4/10.0.0.9/tcp/4001/p2p/gone'
    world.up('b' as NodeId)
    world.known = [{ id: 'gone' as NodeId, addresses: [address] }]
    await start([], seed)
    await clock.advance(60 * MINUTE)
    const pauses = pausesOf(world.times(address))
    expect(pauses.length).toBeGreaterThan(180)
    expect(pauses.length).toBeLessThan(320)
    expect(pauses[0]).toBeLessThanOrEqual(505)
    expect(Math.max(...pauses)).toBeGreaterThan(25_000)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_005)
    expect(Math.min(...pauses.slice(10))).toBeLessThan(5_000)
  })

  test('an address that nothing answers at is given up after 3 s, and tried again', async () => {
    const address = '/ip4/10.0.0.9/tcp/4001'
    world.behind.set(address, 'hangs')
    await start([address])
    await clock.advance(20_000)
    const [first = 0] = pausesOf(world.times(address))
    expect(first).toBeGreaterThanOrEqual(3_000)
    expect(first).toBeLessThan(5_000)
    expect(world.dialing).toBeLessThanOrEqual(1)
  })

  test('a handshake has 15 s, in which stalls of this process do not count', async () => {
    const address = '/ip4/10.0.0.9/tcp/4001'
    world.behind.set(address, 'is slow')
    await start([address])
    await clock.advance(14_900)
    expect(world.dials).toHaveLength(1)
    await clock.advance(200)
    expect(world.dials).toHaveLength(2) // the first was given up
    await clock.advance(5_000)
    await clock.leap(60_000) // no timer runs meanwhile
    await clock.advance(9_500)
    expect(world.dials).toHaveLength(2)
    await clock.advance(2_000)
    expect(world.dials).toHaveLength(3)
  })

  test('two dials at a time, and one while the event loop is late', async () => {
    const addresses = Array.from({ length: 8 }, (_, i) => `/ip4/10.0.1.${i}/tcp/4001`)
    for (const address of addresses) world.behind.set(address, 'is slow')
    await start(addresses)
    await clock.advance(14_000)
    expect(world.dials).toHaveLength(2)
    for (let i = 0; i < 40; i++) {
      await clock.leap(250)
      await clock.advance(500)
    }
    expect(world.dialing).toBe(1)
    await clock.advance(MINUTE)
    expect(world.dialing).toBe(2)
    expect(world.dialingMax).toBe(2)
  })

  test('of a peer one address is dialed at a time, the best first, unless it hangs', async () => {
    const addresses = [1, 2, 3].map(i => `/ip4/10.0.1.${i}/tcp/4001/p2p/b`)
    world.up('c' as NodeId)
    world.behind.set(addresses[0] as string, 'hangs')
    world.behind.set(addresses[1] as string, 'b' as NodeId)
    world.known = [{ id: 'b' as NodeId, addresses }]
    await start([])
    await clock.advance(3_000)
    expect(world.peers).toContain('b')
    expect(world.dials.map(({ address }) => address)).toEqual(addresses.slice(0, 2))
  })

  test('of two nodes the one with the smaller id dials, the other one after 20 s', async () => {
    const smaller = '/ip4/10.0.0.2/tcp/4001/p2p/-'
    world.up('b' as NodeId)
    world.known = [{ id: '-' as NodeId, addresses: [smaller] }]
    await start([])
    await clock.advance(19_900)
    expect(world.dials).toEqual([])
    await clock.advance(2_200)
    expect(world.dials.length).toBeGreaterThan(0)
    world.behind.set(smaller, '-' as NodeId)
    await clock.advance(30_000)
    expect(world.peers).toContain('-')
    const goneMs = clock.monotonic()
    world.down('-' as NodeId)
    await clock.advance(25_000)
    expect(world.times(smaller, goneMs)[0]).toBeGreaterThanOrEqual(goneMs + 20_000)
    world.down('b' as NodeId)
    world.down('-' as NodeId)
    const aloneMs = clock.monotonic()
    await clock.advance(1_600)
    expect(world.times(smaller, aloneMs)).toHaveLength(1) // alone it does not wait
  })

  test('a name is not dialed while a known member has its address, unless that member does not answer there', async () => {
    const place = '/ip4/10.0.0.2/tcp/4001'
    world.names.set('sheaf', ['10.0.0.2'])
    world.up('c' as NodeId)
    world.known = [{ id: 'b' as NodeId, addresses: [`${place}/p2p/b`] }]
    await start(['sheaf'])
    await clock.advance(3_000)
    expect(world.times(`${place}/p2p/b`).length).toBeGreaterThan(0)
    expect(world.times(place)).toEqual([])
    world.behind.set(place, 'new' as NodeId) // another node has taken its place
    await clock.advance(2 * MINUTE)
    expect(world.peers).toEqual(new Set(['c', 'new']))
  })

  test('a name is dialed again, whoever has its address, once this node is alone', async () => {
    const place = '/ip4/10.0.0.2/tcp/4001'
    world.names.set('sheaf', ['10.0.0.2'])
    world.up('c' as NodeId)
    world.known = [{ id: 'b' as NodeId, addresses: [`${place}/p2p/b`] }]
    await start(['sheaf'])
    await clock.advance(3_000)
    world.behind.set(place, 'new' as NodeId)
    world.down('c' as NodeId)
    await clock.advance(3_500)
    expect(world.peers).toEqual(new Set(['new']))
  })

  test('a node that peers have heard is dialed at once, however long it was gone', async () => {
    const address = '/ip4/10.0.0.2/tcp/4001/p2p/b'
    world.up('c' as NodeId)
    world.known = [{ id: 'b' as NodeId, addresses: [address] }]
    await start([])
    await clock.advance(60 * MINUTE)
    world.behind.set(address, 'b' as NodeId)
    world.known = [{ id: 'b' as NodeId, addresses: [address], isVia: true }]
    await clock.advance(3_600)
    expect(world.peers).toContain('b')
  })

  test('a node that was cut off dials all again at once when it meets one', async () => {
    const ids = ['b', 'c', 'd'] as NodeId[]
    world.known = ids.map((id, i) => ({ id, addresses: [`/ip4/10.0.0.${i}/tcp/4001/p2p/${id}`] }))
    await start([])
    await clock.advance(60 * MINUTE)
    for (const { id, addresses } of world.known) world.behind.set(addresses[0] as string, id)
    await clock.advance(3_600)
    expect(world.peers).toEqual(new Set(ids))
  })

  test('a peer that disconnects is dialed soon', async () => {
    world.behind.set('/ip4/10.0.0.2/tcp/4001', 'b' as NodeId)
    await start(['10.0.0.2'])
    await clock.advance(30_000)
    expect(world.peers).toEqual(new Set(['b']))
    world.down('b' as NodeId)
    await clock.advance(2_010)
    expect(world.peers).toEqual(new Set(['b']))
    expect(world.dials).toHaveLength(2)
  })

  test('dials are counted', async () => {
    world.names.set('sheaf', ['10.0.0.1', '10.0.0.2'])
    world.behind.set('/ip4/10.0.0.1/tcp/4001', self)
    node('b', '/ip4/10.0.0.2/tcp/4001')
    await start(['sheaf'])
    await clock.advance(MINUTE / 2)
    expect(loop?.counts).toEqual({ begun: 2, succeeded: 1 })
  })

  test('a peer that ends every connection is not dialed in a tight loop', async () => {
    world.behind.set('/ip4/10.0.0.2/tcp/4001', 'b' as NodeId)
    await start(['10.0.0.2'])
    for (let i = 0; i < 1_000; i++) {
      await clock.advance(10)
      if (world.peers.has('b' as NodeId)) world.down('b' as NodeId)
    }
    expect(world.dials.length).toBeLessThan(110)
  })

  test('a node that refuses is dialed only every few seconds', async () => {
    const address = '/ip4/10.0.0.9/tcp/4001'
    world.behind.set(address, 'refuses')
    await start([address])
    await clock.advance(MINUTE)
    expect(world.dials.length).toBeGreaterThan(10)
    expect(world.dials.length).toBeLessThan(30)
    node('friend', address) // it got the key
    await clock.advance(5_100)
    expect(world.peers).toEqual(new Set(['friend']))
  })

  test('known and discovered addresses are dialed; this node’s own entry is not', async () => {
    node('b', '/ip4/10.0.0.2/tcp/4001/p2p/b')
    node('c', '/ip4/10.0.0.3/tcp/4001/p2p/c')
    world.known = [
      { id: self, addresses: ['/ip4/10.0.0.1/tcp/4001/p2p/0'] },
      { id: 'b' as NodeId, addresses: ['/ip4/10.0.0.2/tcp/4001/p2p/b'] }
    ]
    await start([])
    await clock.advance(20)
    world.discover(['/ip4/10.0.0.3/tcp/4001/p2p/c'])
    await clock.advance(2_010)
    expect([...world.peers].sort()).toEqual(['b', 'c'])
    await clock.advance(MINUTE)
    expect(world.dials).toHaveLength(2)
  })

  test('connected peers that are discovered again and again are not dialed', async () => {
    node('c', '/ip4/10.0.0.3/tcp/4001/p2p/c')
    world.up('c' as NodeId)
    await start([])
    for (let i = 0; i < 20; i++) {
      world.discover(['/ip4/10.0.0.3/tcp/4001/p2p/c'])
      await clock.advance(1_000)
    }
    expect(world.dials).toEqual([])
  })

  test('a node that is no longer known is no longer dialed', async () => {
    const address = '/ip4/10.0.0.2/tcp/4001/p2p/b'
    world.known = [{ id: 'b' as NodeId, addresses: [address] }]
    await start([])
    await clock.advance(10_000)
    const before = world.dials.length
    world.known = []
    await clock.advance(10_000)
    expect(world.dials.length - before).toBeLessThanOrEqual(1)
  })

  test('hundreds of nodes that are gone for good do not starve one that is alive', async () => {
    world.known = Array.from({ length: 300 }, (_, i) => {
      const address = `/ip4/10.1.${i >> 8}.${i & 255}/tcp/4001`
      world.behind.set(address, 'hangs')
      return { id: `gone${i}` as NodeId, addresses: [address] }
    })
    world.known.push({ id: 'b' as NodeId, addresses: ['/ip4/10.0.0.2/tcp/4001'] })
    await start([])
    await clock.advance(MINUTE)
    world.behind.set('/ip4/10.0.0.2/tcp/4001', 'b' as NodeId)
    await clock.advance(MINUTE)
    expect(world.peers).toEqual(new Set(['b']))
    expect(world.dialingMax).toBe(16)
  })

  test('starts and stops at any time', async () => {
    world.behind.set('/ip4/10.0.0.9/tcp/4001', 'hangs')
    await start(['10.0.0.9', 'sheaf'])
    await loop?.start()
    await clock.advance(1)
    expect(world.dialing).toBe(1)
    await loop?.stop()
    await loop?.stop()
    expect(world.dialing).toBe(0)
    const before = world.dials.length
    world.discover(['/ip4/10.0.0.3/tcp/4001/p2p/c'])
    await clock.advance(MINUTE)
    expect(world.dials).toHaveLength(before)
  })
})
