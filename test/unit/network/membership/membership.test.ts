import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SheafError } from '../../../../src/core/errors.js'
import { type Hlc, hlcMs } from '../../../../src/domain/hlc.js'
import type { NodeId } from '../../../../src/domain/ids.js'
import { encodeHeartbeat, type Heartbeat } from '../../../../src/network/membership/heartbeat.js'
import { type MemberRecord, memberEvent } from '../../../../src/network/membership/member-view.js'
import { FakeNetwork, type FakeNode, MemoryMemberStore } from './membership-fixture.js'

async function pair(): Promise<{ network: FakeNetwork; a: FakeNode; b: FakeNode }> {
  const network = new FakeNetwork()
  const [a, b] = [await network.node('a'), await network.node('b')]
  network.connect(a, b)
  await network.clock.advance(10)
  return { network, a, b }
}

describe('member states', () => {
  test('a lone node lists itself', async () => {
    const network = new FakeNetwork()
    const a = await network.node('a')
    await network.clock.advance(60_000)
    expect(a.membership.members()).toEqual([
      expect.objectContaining({
        id: 'node-a',
        name: 'a',
        self: true,
        state: 'alive',
        addresses: a.addressList,
        lastSeenAtMs: network.clock.now(),
        heartbeat: expect.objectContaining({ freeBytes: 1_000, version: '1.0.0' })
      })
    ])
    expect(a.membership.alive()).toEqual([])
    expect(a.membership.knownPeers()).toEqual([])
    expect((a.store as MemoryMemberStore).saved).toEqual([])
  })

  test('a peer is alive from its first heartbeat, which comes with the connection', async () => {
    const { network, a, b } = await pair()
    for (const [node, other] of [
      [a, b],
      [b, a]
    ] as const) {
      expect(node.changes).toEqual([`${other.self.slice(5)}: down → alive`])
      expect(node.membership.alive()).toEqual([other.self])
      expect(node.membership.members().map(({ id, self }) => [id, self])).toEqual([
        ['node-a', node === a],
        ['node-b', node === b]
      ])
    }
    const view = a.membership.members()[1]
    expect(view).toMatchObject({ name: 'b', addresses: b.addressList, clockSkewMs: expect.closeTo(0, -2) })
    expect(view?.heartbeat).toMatchObject({ directoryDigest: 'd1', volumesDigest: 'e2', totalBytes: 2_000 })
    await network.clock.advance(5_000)
    expect(network.clock.now() - (a.membership.members()[1]?.lastSeenAtMs ?? 0)).toBeLessThanOrEqual(500)
    expect(a.changes).toHaveLength(1)
  })

  test('peers that were connected before the start count', async () => {
    const network = new FakeNetwork()
    const a = await network.node('a')
    const b = await network.node('b')
    network.connect(a, b)
    await network.clock.advance(10)
    const late = network.make('late')
    network.connect(a, late)
    await late.membership.start()
    await network.clock.advance(510)
    expect([a.state(late), late.state(a)]).toEqual(['alive', 'alive'])
    expect(late.membership.knownPeers().map(({ id }) => id)).toEqual(['node-a', 'node-b'])
    expect((late.store as MemoryMemberStore).saved).toHaveLength(1)
  })

  test('a silent peer is suspect after 2 s, down after 4.5 s, alive with its next heartbeat', async () => {
    const { network, a, b } = await pair()
    network.connect(a, await network.node('c'))
    await network.clock.advance(5_000)
    network.fate = from => (from === b.self ? [] : [1])
    const silentAt = network.clock.monotonic()
    const heardAt = a.membership.members()[1]?.lastSeenAtMs ?? 0
    const since = (): number => network.clock.now() - heardAt
    while (a.state(b) === 'alive') await network.clock.advance(10)
    expect(since()).toBeGreaterThanOrEqual(2_000)
    expect(since()).toBeLessThanOrEqual(2_020)
    expect(a.membership.alive()).toEqual(['node-c'])
    while (a.state(b) === 'suspect') await network.clock.advance(10)
    expect(since()).toBeGreaterThanOrEqual(4_500)
    expect(since()).toBeLessThanOrEqual(4_520)
    expect(network.clock.monotonic() - silentAt).toBeLessThanOrEqual(5_000)
    expect(b.state(a)).toBe('alive')
    expect(a.changes.splice(0)).toEqual([
      'b: down → alive',
      'c: down → alive',
      'b: alive → suspect',
      'b: suspect → down'
    ])
    network.fate = () => [1]
    await network.clock.advance(502)
    expect(a.changes).toEqual(['b: down → alive'])
  })

  test('heartbeats after a restart count as newer, although their sequence starts again', async () => {
    const { network, a, b } = await pair()
    await network.clock.advance(20_000)
    network.disconnect(a, b)
    await b.membership.stop()
    const again = await network.node('b')
    const news: number[] = []
    a.membership.onHeartbeat((_peer, { sequence }) => news.push(sequence))
    network.connect(a, again)
    await network.clock.advance(1_000)
    expect(news[0]).toBeLessThan(3)
    expect(a.membership.members()[1]?.heartbeat?.epoch).toBe(again.membership.members()[1]?.heartbeat?.epoch)
  })

  test('a peer is suspect as soon as its connection ends, and down only if it stays silent', async () => {
    const { network, a, b } = await pair()
    network.disconnect(a, b)
    expect([a.state(b), b.state(a)]).toEqual(['suspect', 'suspect'])
    expect(a.membership.alive()).toEqual([])
    await network.clock.advance(4_000)
    expect(a.state(b)).toBe('suspect')
    network.connect(a, b)
    await network.clock.advance(10)
    expect(a.state(b)).toBe('alive')
    expect(a.changes).toEqual(['b: down → alive', 'b: alive → suspect', 'b: suspect → alive'])
    network.disconnect(a, b)
    await network.clock.advance(4_510)
    expect(a.state(b)).toBe('down')
    expect(a.membership.members()).toHaveLength(2)
  })

  test('a new connection gives a suspect the time to send a heartbeat', async () => {
    const { network, a, b } = await pair()
    network.disconnect(a, b)
    await network.clock.advance(4_400)
    network.fate = () => [300]
    network.connect(a, b)
    await network.clock.advance(299)
    expect(a.state(b)).toBe('suspect')
    await network.clock.advance(2)
    expect(a.state(b)).toBe('alive')
    expect(a.changes).not.toContain('b: suspect → down')
  })

  test('a heartbeat that arrives after its connection has ended is ignored', async () => {
    const { network, a, b } = await pair()
    network.fate = () => [700]
    await network.clock.advance(600)
    network.disconnect(a, b)
    await network.clock.advance(1_000)
    expect(a.state(b)).toBe('suspect')
  })

  test('a suspicion that passes is no event', () => {
    const view = { state: 'alive' } as Parameters<typeof memberEvent>[0]
    expect(memberEvent(view, 'down')).toBe('member.up')
    expect(memberEvent(view, 'suspect')).toBeUndefined()
    expect(memberEvent({ ...view, state: 'suspect' }, 'alive')).toBeUndefined()
    expect(memberEvent({ ...view, state: 'down' }, 'suspect')).toBe('member.down')
    expect(memberEvent({ ...view, state: 'down' }, 'alive')).toBe('member.down')
  })
})

describe('members that cannot connect to each other', () => {
  /** A node `m` between others, which have records of all and connections to it alone. */
  async function star(...names: readonly string[]): Promise<{ network: FakeNetwork; nodes: readonly FakeNode[] }> {
    const network = new FakeNetwork()
    const nodes = await Promise.all(['m', ...names].map(name => network.node(name)))
    network.acquaint(...nodes)
    const [m, ...others] = nodes as [FakeNode, ...FakeNode[]]
    for (const other of others) network.connect(m, other)
    await network.clock.advance(1_500)
    return { network, nodes }
  }

  test('are reached through the node between them, and describe themselves through it', async () => {
    const { network, nodes } = await star('a', 'b')
    const [m, a, b] = nodes as [FakeNode, FakeNode, FakeNode]
    expect([a.state(b), b.state(a), m.state(a)]).toEqual(['via', 'via', 'alive'])
    expect(a.changes).toEqual(['m: down → alive', 'b: down → via'])
    expect(a.membership.knownPeers()).toMatchObject([{ id: m.self }, { id: b.self, isVia: true }])
    expect(nodes.flatMap(({ notUrgent }) => notUrgent)).toEqual([])
    expect(a.membership.alive()).toEqual([m.self])
    expect(a.membership.present()).toEqual([m.self, b.self])
    expect(a.membership.reachable()).toEqual([m.self, b.self])
    expect(a.membership.waysTo(b.self)).toEqual([m.self])
    await network.clock.advance(5_000)
    const view = a.membership.members().find(({ id }) => id === b.self)
    expect(view?.heartbeat).toMatchObject({ freeBytes: 1_000, reaches: [m.self] })
    expect(network.clock.now() - (view?.lastSeenAtMs ?? 0)).toBeLessThanOrEqual(1_500)
    expect(a.changes).toHaveLength(2)
  })

  test('are alive once they connect, and reached through others again when that connection is cut', async () => {
    const { network, nodes } = await star('a', 'b')
    const [, a, b] = nodes as [FakeNode, FakeNode, FakeNode]
    network.connect(a, b)
    await network.clock.advance(10)
    expect([a.state(b), a.membership.waysTo(b.self)]).toEqual(['alive', []])
    network.disconnect(a, b)
    await network.clock.advance(4_000)
    expect(a.state(b)).toBe('suspect')
    await network.clock.advance(1_000)
    expect(a.changes.slice(1)).toEqual(['b: down → via', 'b: via → alive', 'b: alive → suspect', 'b: suspect → via'])
  })

  test('are down a while after the node between them last heard them', async () => {
    const { network, nodes } = await star('a', 'b')
    const [m, a, b] = nodes as [FakeNode, FakeNode, FakeNode]
    network.disconnect(m, b)
    await network.clock.advance(3_000)
    network.connect(m, b) // a short break is no event
    await network.clock.advance(10_000)
    expect(a.changes).toHaveLength(2)
    network.disconnect(m, b)
    await network.clock.advance(4_000)
    expect(a.state(b)).toBe('via')
    await network.clock.advance(1_500)
    expect(a.changes.at(-1)).toBe('b: via → down')
    expect(a.membership.present()).toEqual([m.self])
  })

  test('are down when the node between them is gone', async () => {
    const { network, nodes } = await star('a', 'b')
    const [m, a, b] = nodes as [FakeNode, FakeNode, FakeNode]
    network.disconnect(m, a)
    expect([a.state(m), a.state(b), a.membership.waysTo(b.self)]).toEqual(['suspect', 'via', []])
    await network.clock.advance(5_100)
    expect([a.state(m), a.state(b)]).toEqual(['down', 'down'])
  })

  test('a member that dies is down as soon as without vouchers, and never flickers', async () => {
    const network = new FakeNetwork()
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(name => network.node(name)))
    const all = [a, b, c] as [FakeNode, FakeNode, FakeNode]
    network.acquaint(...all)
    network.connect(all[0], all[1])
    network.connect(all[0], all[2])
    network.connect(all[1], all[2])
    await network.clock.advance(5_000)
    network.fate = from => (from === all[2].self ? [] : [1])
    await network.clock.advance(5_010)
    for (const node of [all[0], all[1]]) {
      expect(node.changes.filter(change => change.startsWith('c'))).toEqual([
        'c: down → alive',
        'c: alive → suspect',
        'c: suspect → down'
      ])
    }
    await network.clock.advance(20_000)
    expect(all[0].changes).toHaveLength(4)
  })

  test('only members count: neither a stranger that a peer hears, nor who has left', async () => {
    const network = new FakeNetwork()
    const [m, a, b] = await Promise.all(['m', 'a', 'b'].map(name => network.node(name)))
    const [hub, one, other] = [m, a, b] as [FakeNode, FakeNode, FakeNode]
    network.connect(hub, one)
    network.connect(hub, other)
    await network.clock.advance(3_000)
    expect([one.state(other), one.membership.present()]).toEqual([undefined, [hub.self]])
    network.acquaint(hub, one, other)
    await network.clock.advance(600)
    expect(one.state(other)).toBe('via')
    const departure = { how: 'left', at: 1n as Hlc } as const
    ;(one.store as MemoryMemberStore).put({ id: other.self, name: 'b', addresses: [], joinedAtMs: 1, departure })
    expect(one.changes.at(-1)).toBe('b: via → left')
    await network.clock.advance(3_000)
    expect([one.state(other), one.membership.present()]).toEqual(['left', [hub.self]])
    expect(one.changes.at(-1)).toBe('b: via → left')
  })

  test('an older build, which could not take what is passed on, is not vouched for', async () => {
    const { nodes } = await star('a')
    const [m] = nodes as [FakeNode]
    const own = m.membership.members().find(({ self }) => self)?.heartbeat
    if (own === undefined) throw new Error('m describes itself')
    const { reaches, ...older } = own
    expect(reaches).toEqual(['node-a'])
    m.peerSet.add('node-older' as NodeId)
    await m.receive('node-older' as NodeId, 'member.beat', encodeHeartbeat(older))
    expect(m.membership.alive()).toContain('node-older')
    expect(m.membership.members().find(({ self }) => self)?.heartbeat?.reaches).toEqual(['node-a'])
  })

  test('nobody vouches for whom it only reaches through others', async () => {
    const network = new FakeNetwork()
    const chain = await Promise.all(['a', 'b', 'c', 'd'].map(name => network.node(name)))
    network.acquaint(...chain)
    for (const [i, node] of chain.slice(1).entries()) network.connect(chain[i] as FakeNode, node)
    await network.clock.advance(5_000)
    const [a, b, c, d] = chain as [FakeNode, FakeNode, FakeNode, FakeNode]
    expect([b, c, d].map(node => a.state(node))).toEqual(['alive', 'via', 'down'])
  })

  test('coming into reach is the event of coming up', () => {
    const view = { state: 'via' } as Parameters<typeof memberEvent>[0]
    expect(memberEvent(view, 'down')).toBe('member.up')
    expect(memberEvent(view, 'suspect')).toBeUndefined()
    expect(memberEvent({ ...view, state: 'alive' }, 'via')).toBeUndefined()
    expect(memberEvent({ ...view, state: 'down' }, 'via')).toBe('member.down')
  })
})

describe('properties of the failure detector', () => {
  /** Each heartbeat is lost, or arrives after so long, up to three times. */
  const fates = fc.array(
    fc.oneof(fc.constant<number[]>([]), fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 3 })),
    { minLength: 20, maxLength: 60 }
  )
  const LOST_IN_A_ROW_MAX = 3

  test('loss, repetition and reordering of heartbeats never make a peer down, and sequences only grow', async () => {
    await fc.assert(
      fc.asyncProperty(fates, fc.integer(), async (list, seed) => {
        const network = new FakeNetwork(seed)
        const [a, b] = [await network.node('a'), await network.node('b')]
        const sequences: number[] = []
        a.membership.onHeartbeat((_peer, heartbeat) => sequences.push(heartbeat.sequence))
        let sent = 0
        let lost = 0
        network.fate = (from, to) => {
          if (from !== b.self || to !== a.self) return [1]
          const fate = list[sent++ % list.length] ?? []
          lost = fate.length === 0 ? lost + 1 : 0
          if (lost <= LOST_IN_A_ROW_MAX) return fate
          lost = 0
          return [0]
        }
        network.connect(a, b)
        await network.clock.advance(5_000)
        expect(a.state(b)).not.toBe('down')
        await network.clock.advance(40_000)
        expect(a.changes.filter(change => change.endsWith('down'))).toEqual([])
        expect(sequences.length).toBeGreaterThan(0)
        expect(sequences).toEqual([...new Set(sequences)].sort((x, y) => x - y))
      }),
      { numRuns: 40 }
    )
  })

  test('a peer whose heartbeats all arrive within 1.4 s is never even suspect', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1_400 }), { minLength: 1 }), async delays => {
        const network = new FakeNetwork()
        const [a, b] = [await network.node('a'), await network.node('b')]
        let sent = 0
        network.fate = () => [delays[sent++ % delays.length] ?? 0]
        network.connect(a, b)
        await network.clock.advance(30_000)
        expect(a.changes).toEqual(['b: down → alive'])
      }),
      { numRuns: 30 }
    )
  })

  test('a peer that falls silent at any time is suspect within 2.5 s and down within 5 s', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 3_000 }), fc.integer(), async (ms, seed) => {
        const network = new FakeNetwork(seed)
        const [a, b, c] = [await network.node('a'), await network.node('b'), await network.node('c')]
        network.connect(a, b)
        network.connect(a, c)
        await network.clock.advance(10 + ms)
        network.fate = from => (from === b.self ? [] : [1])
        await network.clock.advance(1_500)
        expect(a.state(b)).toBe('alive')
        await network.clock.advance(1_000)
        expect(a.state(b)).toBe('suspect')
        await network.clock.advance(2_500)
        expect(a.state(b)).toBe('down')
        expect(a.state(c)).toBe('alive')
        expect(a.changes).toHaveLength(4)
      }),
      { numRuns: 40 }
    )
  })
})

describe('a process that is stalled', () => {
  test.each([300, 1_000, 3_000, 20_000, 3_600_000])('for %i ms does not take its peers for silent', async ms => {
    const { network, a, b } = await pair()
    await network.clock.advance(2_345)
    a.clock.stall(ms)
    await network.clock.advance(ms)
    await network.clock.advance(3_000)
    expect(a.changes).toEqual(['b: down → alive'])
    // to others it looks silent during the stall, and not longer
    expect(b.changes.at(-1)).toBe(
      b.changes.length === 1 ? 'a: down → alive' : `a: ${ms > 4_000 ? 'down' : 'suspect'} → alive`
    )
  })

  test('is said to be, but not while it starts', async () => {
    const { network, a } = await pair()
    for (const lines of [0, 1]) {
      a.clock.stall(1_000)
      await network.clock.advance(2_000)
      expect(a.told.filter(line => line.includes('stalled'))).toHaveLength(lines)
      await network.clock.advance(10_000)
    }
  })

  test('notices afterwards which peers disappeared meanwhile', async () => {
    const { network, a, b } = await pair()
    a.clock.stall(20_000)
    network.fate = from => (from === b.self ? [] : [1])
    await network.clock.advance(20_000)
    expect(a.state(b)).toBe('alive')
    await network.clock.advance(5_000)
    expect(a.state(b)).toBe('down')
  })

  test('again and again still notices a silent peer', async () => {
    const { network, a, b } = await pair()
    network.fate = from => (from === b.self ? [] : [1])
    for (let i = 0; i < 10; i++) {
      a.clock.stall(1_000)
      await network.clock.advance(2_000)
    }
    expect(a.state(b)).toBe('down')
  })
})

describe('heartbeats', () => {
  test('come at most half a second apart, with random pauses, and at once after an announcement', async () => {
    const { network, a, b } = await pair()
    const times: number[] = []
    b.membership.onHeartbeat(() => times.push(network.clock.monotonic()))
    await network.clock.advance(20_000)
    const pauses = times.slice(1).map((at, i) => at - (times[i] ?? 0))
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(400)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(500)
    expect(new Set(pauses.map(Math.round)).size).toBeGreaterThan(10)
    times.length = 0
    for (let i = 0; i < 100; i++) {
      a.membership.announce()
      await network.clock.advance(1)
    }
    await network.clock.advance(2)
    expect(times.length).toBeGreaterThanOrEqual(1)
    expect(times.length).toBeLessThanOrEqual(2)
  })

  test('that are malformed are refused and do not count', async () => {
    const { network, a, b } = await pair()
    network.fate = from => (from === b.self ? [] : [1])
    for (let i = 0; i < 30; i++) {
      await expect(a.receive(b.self, 'member.beat', Uint8Array.of(0xa0))).rejects.toThrow(SheafError)
      await network.clock.advance(100)
    }
    expect(a.state(b)).toBe('suspect')
  })

  test('are believed of origins only what is one', async () => {
    const { a, b } = await pair()
    const [view] = a.membership.members().filter(({ self }) => !self)
    const beat = view?.heartbeat as Heartbeat
    const http = ['javascript:alert(1)', 'http://10.0.0.7:8000/', 'http://u@evil', '<b>']
    await a.receive(b.self, 'member.beat', encodeHeartbeat({ ...beat, sequence: beat.sequence + 100, http }))
    expect(a.membership.members().find(({ self }) => !self)?.heartbeat?.http).toEqual(['http://10.0.0.7:8000'])
  })

  test('of a peer with a skewed clock are warned about once, and the skew is shown', async () => {
    const network = new FakeNetwork()
    const [a, b] = [await network.node('a'), await network.node('b', { skewMs: -3_600_000 })]
    network.connect(a, b)
    await network.clock.advance(60_000)
    const warning = 'the clocks of this node and a member differ by more than a minute; check NTP on both'
    expect([a.warnings, b.warnings]).toEqual([[warning], [warning]])
    const skewMs = a.membership.members()[1]?.clockSkewMs ?? 0
    expect(Math.abs(skewMs + 3_600_000)).toBeLessThan(100)
    expect(b.membership.members()[0]?.clockSkewMs).toBeGreaterThan(3_500_000)
  })

  test('of a peer whose clock was set right show no skew, although its stamps stay ahead', async () => {
    const network = new FakeNetwork()
    const [a, b] = [await network.node('a'), await network.node('b', { skewMs: 3_600_000 })]
    network.connect(a, b)
    await network.clock.advance(1_000)
    expect(a.membership.members()[1]?.clockSkewMs).toBeGreaterThan(3_500_000)
    b.clock.skewMs = 0
    await network.clock.advance(1_000)
    const [, view] = a.membership.members()
    expect(Math.abs(view?.clockSkewMs ?? Number.NaN)).toBeLessThan(100)
    expect(hlcMs(view?.heartbeat?.now as Hlc) - network.clock.now()).toBeGreaterThan(3_500_000)
  })
})

describe('known nodes', () => {
  test('nodes that a peer knows are dialed but not listed', async () => {
    const network = new FakeNetwork()
    const [a, b, c] = [await network.node('a'), await network.node('b'), await network.node('c')]
    network.connect(b, c)
    await network.clock.advance(10)
    network.connect(a, b)
    await network.clock.advance(10)
    expect(a.membership.members().map(({ id }) => id)).toEqual(['node-a', 'node-b'])
    expect(a.membership.knownPeers()).toEqual([
      { id: b.self, addresses: b.addressList },
      { id: c.self, addresses: c.addressList }
    ])
    expect(c.membership.knownPeers().map(({ id }) => id)).toEqual(['node-b'])
    await network.clock.advance(7_501)
    expect(c.membership.knownPeers().map(({ id }) => id)).toEqual(['node-b', 'node-a'])
    network.connect(a, c)
    await network.clock.advance(10)
    expect(a.membership.knownPeers().map(({ id }) => id)).toEqual(['node-b', 'node-c'])
  })

  test('addresses from peer exchange are not passed on', async () => {
    const network = new FakeNetwork()
    const nodes = await Promise.all(['a', 'b', 'c', 'd'].map(name => network.node(name)))
    const [a, b, c, d] = nodes as [FakeNode, FakeNode, FakeNode, FakeNode]
    network.connect(c, d)
    await network.clock.advance(10)
    network.connect(b, c)
    await network.clock.advance(10)
    network.connect(a, b)
    await network.clock.advance(100_000)
    expect(a.membership.knownPeers().map(({ id }) => id)).toEqual(['node-b', 'node-c'])
  })

  test('a member that has moved is dialed at the addresses that peers know', async () => {
    const network = new FakeNetwork()
    const [a, b, c] = [await network.node('a'), await network.node('b'), await network.node('c')]
    network.connect(a, c)
    await network.clock.advance(10)
    network.disconnect(a, c)
    const [before] = c.addressList
    c.addressList = ['/ip4/10.9.9.9/tcp/1']
    network.connect(b, c)
    await network.clock.advance(10)
    network.connect(a, b)
    await network.clock.advance(5_000)
    const dialed = (): readonly string[] | undefined =>
      a.membership.knownPeers().find(({ id }) => id === c.self)?.addresses
    expect(dialed()).toEqual([before, '/ip4/10.9.9.9/tcp/1'])
    network.connect(a, c)
    await network.clock.advance(10)
    expect(dialed()).toEqual(['/ip4/10.9.9.9/tcp/1'])
  })

  test('members of the directory are down until their first heartbeat, and stay listed', async () => {
    const store = new MemoryMemberStore()
    const old = { id: 'node-b' as NodeId, name: 'old b', addresses: ['/ip4/10.0.0.9/tcp/1'], joinedAtMs: 7 }
    store.members.set(old.id, old)
    const network = new FakeNetwork()
    const a = await network.node('a', { store })
    expect(a.membership.members()[1]).toMatchObject({ ...old, state: 'down', lastSeenAtMs: undefined })
    expect(a.membership.knownPeers()).toEqual([{ id: old.id, addresses: old.addresses }])
    store.put({ id: 'node-c' as NodeId, name: 'c', addresses: [], joinedAtMs: 8 })
    expect(a.membership.members().map(({ name }) => name)).toEqual(['a', 'old b', 'c'])
    expect(a.changes).toEqual([])
    const b = await network.node('b')
    network.connect(a, b)
    await network.clock.advance(10)
    expect(a.membership.members()[1]).toMatchObject({ name: 'b', state: 'alive', joinedAtMs: 7 })
  })

  test('a node writes its record at its first connection, and when it changes, at most once a minute', async () => {
    const { network, a } = await pair()
    const store = a.store as MemoryMemberStore
    await network.clock.advance(500)
    const [first] = a.addressList
    expect(store.saved).toEqual([`a ${first}`])
    expect(a.membership.members()[0]).toMatchObject({ self: true, joinedAtMs: 42 })
    store.failure = new Error('planted')
    a.addressList = ['/z', '/b']
    await network.clock.advance(70_000)
    expect(store.saved.slice(1)).toEqual(['a /b,/z'])
    expect(a.warnings).toEqual(["could not write this node's member record; trying again"])
    a.addressList = ['/b', '/z']
    store.failure = undefined
    await network.clock.advance(300_000)
    expect(store.saved.slice(1)).toEqual(['a /b,/z', 'a /b,/z'])
  })

  test('a node that is a member again says anew what others must know of it, without waiting for a minute', async () => {
    const { network, a } = await pair()
    const store = a.store as MemoryMemberStore
    await network.clock.advance(1_000)
    const own = store.members.get(a.self) as MemberRecord
    store.put({ ...own, departure: { how: 'left', at: 1n as Hlc } })
    await network.clock.advance(1_000)
    store.saved.splice(0)
    store.put({ id: a.self, name: '', addresses: [], joinedAtMs: undefined }) // what a peer writes that readmits it
    await network.clock.advance(1_000)
    expect(store.saved).toHaveLength(1)
    expect(store.members.get(a.self)?.name).toBe('a')
  })

  test('beyond a thousand, down nodes without a record are forgotten, members of the directory are not', async () => {
    const store = new MemoryMemberStore()
    const member = { id: 'node-b' as NodeId, name: 'b', addresses: [], joinedAtMs: 1 }
    store.members.set(member.id, member)
    const network = new FakeNetwork()
    const a = await network.node('a', { store })
    const own = a.membership.members()[0]?.heartbeat
    if (own === undefined) throw new Error('a describes itself')
    const body = encodeHeartbeat(own)
    for (let i = 0; i < 1_010; i++) {
      const passer = `passer-${i}` as NodeId
      a.peerSet.add(passer)
      await a.receive(passer, 'member.beat', body)
      a.peerSet.delete(passer)
      a.report(passer, 'down')
    }
    await network.clock.advance(5_000)
    const ids = a.membership.members().map(({ id }) => id)
    expect(ids).toHaveLength(1_002)
    expect(ids).toContain('node-b')
    expect(ids).not.toContain('passer-9')
    expect(ids).toContain('passer-10')
  })
})

test('stopping waits for a write in flight', async () => {
  const { network, a } = await pair()
  let written = false
  a.store.save = async () => {
    await network.clock.sleep(1_000)
    written = true
  }
  await network.clock.advance(500)
  let stopped = false
  const stopping = a.membership.stop().then(() => {
    stopped = true
  })
  await network.clock.advance(900)
  expect([written, stopped]).toEqual([false, false])
  await network.clock.advance(200)
  await stopping
  expect(written).toBe(true)
})

test('stopping leaves no timer and no listener, ends pending requests, and may be repeated', async () => {
  const network = new FakeNetwork()
  const [a, b] = [await network.node('a'), await network.node('b')]
  network.fate = () => []
  network.connect(a, b)
  await network.clock.advance(1_000)
  a.membership.announce()
  await Promise.all([a.membership.stop(), b.membership.stop()])
  await a.membership.stop()
  expect([network.clock.pending, a.listenerCount]).toEqual([0, 0])
  b.membership.announce()
  expect(network.clock.pending).toBe(0)
})
