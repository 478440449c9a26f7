import { afterEach, expect, test } from 'vitest'
import type { PhotoId } from '../../src/domain/ids.js'
import { type Host, holds, put, ShippingCluster } from '../support/shipping-cluster.js'

const PHOTOS = 80
const PHOTO_BYTES = 500_000
const VOLUME_BYTES = 10_000_000
const FAST = 10_000_000
const SLOW = FAST / 100

const clusters: ShippingCluster[] = []
afterEach(async () => {
  for (const { hosts } of clusters.splice(0)) for (const { shipping } of hosts) await shipping.stop()
})

/** @param uplinks - of the nodes that hold everything, bytes a second @returns what a new node takes to catch up with them */
async function catchUp(
  uplinks: readonly number[],
  seed: number
): Promise<{ readonly ms: number; readonly sentBytes: number }> {
  const net = new ShippingCluster(seed)
  clusters.push(net)
  for (let i = 0; i < uplinks.length; i++) await net.add(VOLUME_BYTES)
  const photos: PhotoId[] = []
  const holdsAll = (host: Host): boolean => photos.every(id => holds(host, id))
  for (let i = 0; i < PHOTOS; i++) photos.push((await put(net.hosts[0] as Host, PHOTO_BYTES)).id)
  await net.until(() => net.hosts.every(holdsAll))
  const { links } = net.network
  const suppliers = [...net.hosts]
  links.traffic.clear()
  const startedMs = net.clock.monotonic()
  const late = await net.add(VOLUME_BYTES)
  for (const [i, { id }] of suppliers.entries()) links.thin(id, late.id, uplinks[i] as number)
  await net.until(() => holdsAll(late), 600_000)
  const { bytes } = links.total(name => name === 'piece volume.range' || name === 'answer volume.read')
  return { ms: net.clock.monotonic() - startedMs, sentBytes: bytes }
}

test.for([1, 2, 3])('one slow supplier among three costs little time and traffic, seed %i', async seed => {
  const without = await catchUp([FAST, FAST], seed)
  const withSlow = await catchUp([FAST, FAST, SLOW], seed)
  expect(withSlow.ms).toBeLessThan(2 * without.ms)
  expect(withSlow.sentBytes).toBeLessThan(1.2 * PHOTOS * PHOTO_BYTES)
})
