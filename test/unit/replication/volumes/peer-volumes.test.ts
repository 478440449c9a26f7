import { describe, expect, it } from 'vitest'
import type { NodeId, VolumeId } from '../../../../src/domain/ids.js'
import { PeerVolumes } from '../../../../src/replication/volumes/peer-volumes.js'

const PEER = 'peer' as NodeId
const VOLUME = 'volume' as VolumeId

function holding(holes: readonly [number, number][]): PeerVolumes {
  const peers = new PeerVolumes()
  peers.replace(PEER, [{ volume: VOLUME, end: 1_000, holes: holes.map(([from, to]) => ({ from, to })) }])
  return peers
}

/** @returns every hundredth byte that the peer supplies */
function supplied(peers: PeerVolumes): number[] {
  return Array.from({ length: 11 }, (_, i) => i * 100).filter(at => peers.suppliers(VOLUME, at).includes(PEER))
}

describe('the answer to a doubt', () => {
  it('replaces what was known from the place on', () => {
    const peers = holding([
      [100, 200],
      [300, 500],
      [800, 900]
    ])
    peers.noteHoles(PEER, VOLUME, 400, { end: 1_000, holes: [{ from: 600, to: 700 }], until: undefined })
    expect(supplied(peers)).toEqual([0, 200, 400, 500, 700, 800, 900])
    expect(peers.acknowledgedBy(VOLUME, [PEER])).toBe(100)
    expect(peers.commonHoleEnds(VOLUME, 600)).toEqual([700])
  })

  it('replaces nothing behind the place up to which it is complete', () => {
    const peers = holding([
      [300, 400],
      [800, 900]
    ])
    peers.noteHoles(PEER, VOLUME, 100, { end: 1_000, holes: [{ from: 100, to: 200 }], until: 500 })
    expect(supplied(peers)).toEqual([0, 200, 300, 400, 500, 600, 700, 900])
    expect(peers.acknowledgedBy(VOLUME, [PEER])).toBe(100)
  })

  it('shortens the copy only when that ends before the place', () => {
    const peers = holding([])
    peers.noteHoles(PEER, VOLUME, 300, { end: 900, holes: [], until: undefined })
    expect(peers.endOf(PEER, VOLUME)).toBe(1_000)
    peers.noteHoles(PEER, VOLUME, 950, { end: 900, holes: [], until: undefined })
    expect(peers.endOf(PEER, VOLUME)).toBe(900)
    expect(peers.acknowledgedBy(VOLUME, [PEER])).toBe(900)
  })

  it('of a peer that is gone is not kept', () => {
    const peers = holding([])
    peers.forget(PEER)
    peers.noteHoles(PEER, VOLUME, 0, { end: 900, holes: [], until: undefined })
    expect(peers.ends()).toEqual(new Map())
  })
})

describe('the holes that all peers have', () => {
  const OTHER = 'other' as NodeId

  it('end where one of them says so; none counts where one has the byte', () => {
    const peers = holding([[100, 300]])
    expect(peers.commonHoleEnds(VOLUME, 100)).toEqual([300])
    peers.replace(OTHER, [{ volume: VOLUME, end: 1_000, holes: [{ from: 50, to: 200 }] }])
    expect(peers.commonHoleEnds(VOLUME, 100)).toEqual([200, 300])
    expect(peers.commonHoleEnds(VOLUME, 200)).toEqual([])
    expect(peers.commonHoleEnds(VOLUME, 1_000)).toEqual([])
  })
})

describe('what distant members hold', () => {
  const FAR = 'far' as NodeId
  const places = [{ volume: VOLUME, end: 1_000 }]

  it('counts as copies, and is not to be had from them', async () => {
    const peers = new PeerVolumes()
    const waiting = peers.waitForHolders(places, 1, new AbortController().signal)
    peers.noteDistantAcknowledged(FAR, VOLUME, 1_000) // nothing is known of it yet
    expect(peers.holders(places)).toBe(0)
    peers.replaceDistant(FAR, [{ volume: VOLUME, end: 500, holes: [] }])
    expect(peers.missing(FAR, [{ id: VOLUME, end: 1_000 }])).toBe(500)
    peers.noteDistantAcknowledged(FAR, VOLUME, 1_000)
    expect(await waiting).toBe(1)
    expect([peers.missing(FAR, [{ id: VOLUME, end: 1_000 }]), peers.acknowledged(VOLUME)]).toEqual([0, 1_000])
    expect([peers.suppliers(VOLUME, 0), peers.ends().size, peers.furthestEnd(VOLUME)]).toEqual([[], 0, 0])
  })

  it('is forgotten when they are gone, and counted once when they connect', () => {
    const peers = new PeerVolumes()
    const held = [{ volume: VOLUME, end: 1_000, holes: [] }]
    peers.replaceDistant(FAR, held)
    peers.replace(FAR, held)
    expect(peers.holders(places)).toBe(1)
    peers.replaceDistant(PEER, held)
    expect(peers.holders(places)).toBe(2)
    peers.keepDistant([])
    expect(peers.holders(places)).toBe(1)
  })
})

describe('what peers were known to hold of a volume', () => {
  it('is kept when they are gone, and forgotten once neither they nor this node have the volume', () => {
    const peers = holding([])
    peers.dropRemoved(() => false)
    expect(peers.acknowledged(VOLUME)).toBe(1_000)
    peers.forget(PEER)
    peers.dropRemoved(() => true)
    expect(peers.acknowledged(VOLUME)).toBe(1_000)
    peers.dropRemoved(() => false)
    expect(peers.acknowledged(VOLUME)).toBe(0)
  })
})
