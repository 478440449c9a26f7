import { afterEach, expect, test } from 'vitest'
import { type MemberComparison, PeerComparison } from '../../src/cluster/peer-comparison.js'
import { silentLog } from '../../src/core/log.js'
import type { NodeId } from '../../src/domain/ids.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import type { Volume } from '../../src/volumes/volume.js'
import { type Host, holds, put, ShippingCluster } from '../support/shipping-cluster.js'

const clusters: ShippingCluster[] = []

afterEach(async () => {
  for (const { hosts } of clusters.splice(0)) for (const { shipping } of hosts) await shipping.stop()
})

interface Compared {
  readonly net: ShippingCluster
  readonly hosts: readonly [Host, Host]
  /** By host: what its directory's digest is. */
  readonly digests: Map<NodeId, string>
  compare(): Promise<readonly MemberComparison[]>
}

/** Two hosts that hold the same photos; the first compares itself with the second, and with a member that is not there. */
async function twoHosts(absent: readonly string[] = []): Promise<Compared> {
  const net = new ShippingCluster()
  clusters.push(net)
  const hosts = [await net.add(), await net.add()] as const
  const digests = new Map(hosts.map(({ id }) => [id, 'abcd']))
  const others = [...hosts.slice(1).map(({ id }) => id), ...absent].map(id => ({
    id: id as NodeId,
    name: `name of ${id}`
  }))
  const [comparison] = hosts.map(({ id, transport, volumes }) => {
    const directory = { digest: () => digests.get(id) as string }
    const isRetired = (): boolean => false
    return new PeerComparison({
      transport,
      directory,
      volumes,
      isRetired,
      clock: net.clock,
      log: silentLog,
      others: () => others,
      reachable: () => transport.peers()
    })
  })
  const photo = await put(hosts[0], 5_000)
  await net.until(() => holds(hosts[1], photo.id))
  const compare = (): Promise<readonly MemberComparison[]> =>
    net.run((comparison as PeerComparison).run(() => {}, new AbortController().signal))
  return { net, hosts, digests, compare }
}

test('equal nodes are the same, and a member that is not there is not', async () => {
  const { compare } = await twoHosts(['gone'])
  expect(await compare()).toEqual([
    { id: 'node-2', name: 'name of node-2', state: 'same', differences: [] },
    { id: 'gone', name: 'name of gone', state: 'unreachable', differences: [] }
  ])
})

test('another directory is a difference, and one that cannot be read', async () => {
  const { compare, digests, hosts } = await twoHosts()
  digests.set(hosts[1].id, 'ef')
  expect(await compare()).toMatchObject([{ state: 'differs', differences: ['its directory differs'] }])
  digests.set(hosts[1].id, '')
  expect(await compare()).toMatchObject([{ state: 'differs', differences: ['its directory cannot be read now'] }])
})

test('volumes that one of them lacks, or has less of, are differences', async () => {
  const { compare, hosts } = await twoHosts()
  const [a, b] = hosts
  await a.shipping.stop()
  await b.shipping.stop()
  const volume = a.volumes.volumes()[0] as Volume
  const before = volume.end
  await put(a, 700)
  await put(b, 700)
  const end = a.volumes.get(volume.id)?.end
  const own = b.volumes.volumes().find(({ state }) => state === 'active')?.id
  const differences = [
    `it has ${before} of ${end} intact bytes of volume ${volume.id}`,
    `this node lacks volume ${own}`
  ]
  expect(await compare()).toMatchObject([{ state: 'differs', differences }])
})

test('other bytes of the same length are a difference', async () => {
  const { compare, hosts } = await twoHosts()
  const volume = hosts[1].volumes.volumes()[0] as Volume
  volume.chain = new Uint8Array(16).fill(7)
  const differences = [`its needles in volume ${volume.id} differ`]
  expect(await compare()).toMatchObject([{ state: 'differs', differences }])
})

test('a hole is a difference', async () => {
  const { compare, hosts } = await twoHosts()
  const [a, b] = hosts
  const [volume] = b.volumes.volumes()
  const from = SUPERBLOCK_BYTES
  await a.shipping.stop()
  await b.shipping.stop()
  volume?.noteHole({ from, to: from + 64 }, 'corrupt')
  const differences = [`it has 0 of ${volume?.end} intact bytes of volume ${volume?.id}`]
  expect(await compare()).toMatchObject([{ state: 'differs', differences }])
})

test('what is only on its way is no difference', async () => {
  const { compare, net, hosts } = await twoHosts()
  const photo = await put(hosts[0], 500_000)
  expect(holds(hosts[1], photo.id)).toBe(false)
  expect(await compare()).toMatchObject([{ state: 'same' }])
  expect(holds(hosts[1], photo.id)).toBe(true)
  await net.pass(5)
})
