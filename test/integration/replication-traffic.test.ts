import { describe, expect, onTestFinished, test } from 'vitest'
import { NEEDLE_HEADER_BYTES } from '../../src/domain/needle.js'
import type { UploadReceipt } from '../../src/photos/photo-types.js'
import type { NeedleLocation } from '../../src/volumes/needle-store.js'
import type { Volume } from '../../src/volumes/volume.js'
import { ClusterLab, type LabMember } from '../support/cluster-lab.js'

/** Longer than the announcements of an append and their answers take, ms. */
const ANNOUNCED_MS = 1_000

/** @returns a cluster that has been quiet for so long that its members know what all hold */
async function quietCluster(count: number): Promise<ClusterLab> {
  const lab = await ClusterLab.of(count)
  onTestFinished(async () => {
    await lab.end()
    expect(lab.network.defects).toEqual([])
  })
  for (const member of lab.members) await lab.upload(member, `the first of ${member.id}`)
  await lab.pass(60_000)
  return lab
}

/** @returns the messages about volumes since the count began, by way and method; heads are asked for in any case */
function volumeMessages({ network }: ClusterLab): Record<string, number> {
  const entries = [...network.links.traffic].map(([name, { messages }]) => [name, messages] as const)
  return Object.fromEntries(entries.filter(([name]) => / volume\.(?!heads)/.test(name)))
}

async function upload(lab: ClusterLab, member: LabMember, minCopies: number, key?: string): Promise<UploadReceipt> {
  const body = async function* () {
    yield Buffer.from('to be held by many')
  }
  const options = { filename: 'many', minCopies, ...(key !== undefined && { idempotencyKey: key }) }
  return lab.until(member.services.photos.upload(body(), options))
}

describe('an append', () => {
  test.for([3, 5])('that comes alone takes a message to each other of %i nodes, and one back', async count => {
    const lab = await quietCluster(count)
    const [writer] = lab.members as [LabMember]
    lab.network.links.traffic.clear()
    await lab.upload(writer, 'alone')
    await lab.pass(ANNOUNCED_MS)
    expect(volumeMessages(lab)).toEqual({ 'notify volume.bytes': count - 1, 'notify volume.ack': count - 1 })
  })

  test('is acknowledged to its writer at once, and known by all a little later', async () => {
    const lab = await quietCluster(5)
    const [writer, reader] = lab.members as [LabMember, LabMember]
    const startedMs = lab.clock.monotonic()
    const { photoId, copies } = await upload(lab, writer, 5)
    expect(copies).toBe(5)
    expect(lab.clock.monotonic() - startedMs).toBeLessThan(50)
    const copiesAt = async ({ services }: LabMember): Promise<number> =>
      (await lab.until(services.photos.meta(photoId))).copies
    await lab.pass(ANNOUNCED_MS)
    expect(await copiesAt(writer)).toBe(5)
    expect(await copiesAt(reader)).toBeGreaterThanOrEqual(2) // its own, and the writer's
    await lab.pass(25_000)
    for (const member of lab.members) expect(await copiesAt(member)).toBe(5)
  })

  test('can be waited for where it was not written: whoever waits asks', async () => {
    const lab = await quietCluster(4)
    const [writer, reader] = lab.members as [LabMember, LabMember]
    await upload(lab, writer, 1, 'retried elsewhere')
    await lab.pass(ANNOUNCED_MS)
    const startedMs = lab.clock.monotonic()
    expect((await upload(lab, reader, 4, 'retried elsewhere')).copies).toBe(4)
    expect(lab.clock.monotonic() - startedMs).toBeLessThan(2_000)
  })
})

test('a read of bytes that are damaged here asks the one node that wrote them', async () => {
  const lab = await quietCluster(5)
  const [writer, reader] = lab.members as [LabMember, LabMember]
  const photo = await lab.upload(writer, 'damaged on one disk')
  await lab.pass(ANNOUNCED_MS)
  const [{ volume, offset }] = lab.bytesOf(reader, photo) as [NeedleLocation]
  const { path } = reader.services.local.volumes.get(volume) as Volume
  reader.node.disk.flipBit(path, offset + NEEDLE_HEADER_BYTES, 0)
  lab.network.links.traffic.clear()
  expect(await lab.show(reader, photo)).toBe('damaged on one disk')
  const asked = [...lab.network.links.traffic].filter(([name]) => /^(request|fetch) needle\./.test(name))
  expect(asked.map(([name, { messages }]) => [name, messages])).toEqual([
    ['request needle.find', 1],
    ['fetch needle.read', 1]
  ])
})
