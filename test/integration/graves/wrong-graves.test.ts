import { describe, expect, test } from 'vitest'
import type { PhotoId } from '../../../src/domain/ids.js'
import { PHOTO_KIND } from '../../../src/domain/photo.js'
import { encodePutRequest, METHOD_PUT } from '../../../src/replication/records/anti-entropy-messages.js'
import { gravesDrafts } from '../../../src/store/sweep.js'
import type { NeedleLocation } from '../../../src/volumes/needle-store.js'
import { type ClusterLab, DAY_MS, HOUR_MS, type LabMember, UNDO_MS } from '../../support/cluster-lab.js'
import { expectEverywhere, startLab } from './lab-for-test.js'

type Three = [LabMember, LabMember, LabMember]

const DELETED = 'ERR_PHOTO_DELETED'

/** Sends graves of living photos to a member, as a node with a defect or an attacker would. */
async function forge(lab: ClusterLab, from: LabMember, to: LabMember, photos: readonly PhotoId[]): Promise<void> {
  const graves = photos.map(id => ({ kind: PHOTO_KIND, id, generation: 0 }))
  const request = encodePutRequest({ records: [], graves })
  await lab.until(
    from.node.transport?.request(to.id, METHOD_PUT, request, new AbortController().signal) ?? Promise.reject()
  )
}

async function uploadMany(lab: ClusterLab, member: LabMember, count: number): Promise<PhotoId[]> {
  const photos: PhotoId[] = []
  for (let i = 0; i < count; i++) photos.push(await lab.upload(member, `photo ${i}`))
  return photos
}

function shownAs(photos: readonly PhotoId[], show: (i: number) => string): Readonly<Record<PhotoId, string>> {
  return Object.fromEntries(photos.map((id, i) => [id, show(i)]))
}

describe('the undo period', () => {
  test('is not shortened by purge-days 0 on one node alone', async () => {
    const lab = await startLab(3, { purgeMs: i => (i === 2 ? 0 : UNDO_MS) })
    const [a, b, hasty] = lab.members as Three
    const large = 'kept'.repeat(5_000)
    const kept = await lab.upload(a, large)
    const old = await lab.upload(a, 'old')
    const young = await lab.upload(hasty, 'young')
    await lab.converge()
    const [{ volume }] = lab.bytesOf(hasty, young) as [NeedleLocation]
    await lab.remove(hasty, old, young)
    for (let round = 0; round < 2; round++) {
      await lab.pass(5_000)
      for (const member of lab.members) await lab.compact(member)
    }
    expect(lab.members.map(({ services }) => services.local.volumes.get(volume))).toEqual([
      undefined,
      undefined,
      undefined
    ])
    await lab.leap(20 * HOUR_MS)
    await lab.undelete(hasty, young)
    await lab.leap(28 * DAY_MS)
    expect(await lab.sweep(hasty)).toBe(0)
    await lab.undelete(b, old)
    await expectEverywhere(lab, { [kept]: large, [old]: 'old', [young]: 'young' })
    await lab.remove(hasty, old)
    await lab.bury(...lab.members)
    await expectEverywhere(lab, { [kept]: large, [old]: DELETED, [young]: 'young' })
    expect(lab.members.map(member => lab.isBuried(member, old))).toEqual([true, true, true])
  })

  test.each(['start again', 'run on'])('is not over when all nodes %s in 2099', async how => {
    const lab = await startLab(3)
    const [a, b] = lab.members as Three
    const gone = await lab.upload(a, 'gone')
    const undone = await lab.upload(a, 'undone')
    await lab.remove(b, gone, undone)
    await lab.converge()
    if (how === 'start again') for (const member of lab.members) await lab.stop(member)
    for (const { node } of lab.members) node.wall.skewMs = Date.UTC(2099, 0, 1) - lab.clock.now()
    if (how === 'start again') for (const member of lab.members) await lab.start(member)
    await lab.pass(30_000)
    await lab.leap(2 * HOUR_MS)
    for (const member of lab.members) await lab.compact(member)
    await lab.pass(5_000)
    expect(lab.members.map(member => lab.isBuried(member, gone))).toEqual([false, false, false])
    await lab.undelete(a, undone)
    await expectEverywhere(lab, { [gone]: DELETED, [undone]: 'undone' })
    await lab.bury(...lab.members)
    expect(lab.members.map(member => lab.isBuried(member, gone))).toEqual([true, true, true])
    await expectEverywhere(lab, { [gone]: DELETED, [undone]: 'undone' })
  })
})

test('a birth does not come back because its tombstone was compacted first', async () => {
  const lab = await startLab(1)
  const [a] = lab.members as [LabMember]
  const gone = await lab.upload(a, 'gone')
  const damaged = await lab.upload(a, 'damaged')
  const [bytes] = lab.bytesOf(a, damaged) as [NeedleLocation]
  const held = (): boolean => a.services.local.volumes.get(bytes.volume) !== undefined
  await lab.damage(a, bytes) // so that this volume is not compacted
  await lab.stop(a)
  await lab.start(a)
  await lab.remove(a, gone)
  const { stored } = a.services.local.directory.lookUp({ kind: PHOTO_KIND, id: gone })
  const tombstone = stored?.home as NeedleLocation
  expect(tombstone.volume).not.toBe(bytes.volume)
  await lab.bury(a)
  expect([a.services.local.volumes.get(tombstone.volume), held()]).toEqual([undefined, true])
  expect(lab.holdsBytes(a, gone)).toBe(true)
  await lab.stop(a)
  a.node.loseDirectory()
  await lab.start(a)
  expect(lab.isBuried(a, gone)).toBe(true)
  await lab.rebuild(a)
  expect(lab.isBuried(a, gone)).toBe(true)
  expect(await lab.show(a, gone)).toBe(DELETED)
})

describe('graves of what lives', () => {
  test('from a peer are laid out on all nodes, are red, and can be taken back on each of them', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const photos = await uploadMany(lab, a, 12)
    const forged = photos.slice(0, 3)
    await lab.converge()
    await forge(lab, b, a, forged)
    await lab.pass(10_000)
    const shown = shownAs(photos, i => (i < 3 ? DELETED : `photo ${i}`))
    await expectEverywhere(lab, shown)
    for (const { id, services } of lab.members) {
      const { laidOut } = services.local
      expect(
        laidOut
          .list()
          .map(({ key }) => key.id)
          .sort()
      ).toEqual([...forged].sort())
      expect(laidOut.isAlarming, `${id} is red`).toBe(true)
    }
    expect(new Set(a.services.local.laidOut.list().map(({ from }) => from))).toEqual(new Set(['b']))
    for (const member of lab.members) {
      await lab.compact(member)
      await lab.compact(member, true)
    }
    await lab.leap(3 * UNDO_MS)
    for (const member of lab.members) await lab.compact(member)
    for (const member of lab.members) {
      expect(
        forged.map(id => lab.holdsBytes(member, id)),
        `bytes at ${member.id}`
      ).toEqual([true, true, true])
    }
    for (const [i, { services }] of lab.members.entries()) {
      await lab.until(services.photos.exhume(forged[i] as PhotoId))
    }
    await expectEverywhere(
      lab,
      shownAs(photos, i => `photo ${i}`)
    )
    expect(await lab.refusal(c.services.photos.exhume(forged[0] as PhotoId))).toBe('ERR_NOT_BURIED')
  })

  test('that a defective sweep has written are taken back although their volume was retired', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const photos = await uploadMany(lab, a, 12)
    const wronged = photos.slice(0, 2)
    await lab.converge()
    const graves = wronged.map(id => ({ kind: PHOTO_KIND, id, generation: 0 }))
    for (const draft of gravesDrafts(graves)) await lab.until(a.services.local.volumes.append([draft], 'upkeep'))
    await lab.pass(10_000)
    expect(lab.members.map(member => lab.laidOut(member).length)).toEqual([0, 2, 2])
    const [{ volume }] = lab.bytesOf(b, wronged[0] as PhotoId) as [NeedleLocation]
    for (let round = 0; round < 2; round++) {
      for (const member of lab.members) await lab.compact(member, true)
      await lab.pass(5_000)
    }
    expect(b.services.local.verdicts.isRetired(volume)).toBe(true)
    expect(lab.members.map(member => lab.holdsBytes(member, wronged[0] as PhotoId))).toEqual([false, true, true])
    await lab.leap(2 * UNDO_MS)
    await expectEverywhere(
      lab,
      shownAs(photos, i => (i < 2 ? DELETED : `photo ${i}`))
    )
    expect(await lab.refusal(a.services.photos.exhume(wronged[0] as PhotoId))).toBe('ERR_BYTES_GONE')
    await lab.until(b.services.photos.exhume(wronged[0] as PhotoId))
    await lab.until(c.services.photos.exhume(wronged[1] as PhotoId))
    await expectEverywhere(
      lab,
      shownAs(photos, i => `photo ${i}`)
    )
  })

  test('and of what may still be undone: an operator can have it back, and it is no alarm', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const [photo] = (await uploadMany(lab, a, 1)) as [PhotoId]
    await lab.remove(a, photo)
    await lab.converge()
    await forge(lab, b, c, [photo])
    await lab.pass(10_000)
    expect(lab.members.map(member => lab.laidOut(member))).toEqual([[photo], [photo], [photo]])
    expect(lab.members.map(({ services }) => services.local.laidOut.isAlarming)).toEqual([false, false, false])
    expect(await lab.refusal(a.services.photos.undelete(photo))).toBe('ERR_BYTES_GONE')
    await lab.until(a.services.photos.exhume(photo))
    await expectEverywhere(lab, { [photo]: 'photo 0' })
  })

  test('are few enough on a large node to be no alarm, and go after the undo period', async () => {
    const lab = await startLab(2)
    const [a, b] = lab.members as [LabMember, LabMember]
    const photos = await uploadMany(lab, a, 120)
    const [forged] = photos as [PhotoId]
    await lab.converge()
    await forge(lab, b, a, [forged])
    await lab.pass(10_000)
    expect(lab.members.map(member => lab.laidOut(member))).toEqual([[forged], [forged]])
    expect(lab.members.map(({ services }) => services.local.laidOut.isAlarming)).toEqual([false, false])
    await lab.leap(UNDO_MS - DAY_MS)
    for (const member of lab.members) await lab.compact(member, true)
    expect(lab.members.map(member => lab.holdsBytes(member, forged))).toEqual([true, true])
    await lab.bury(...lab.members)
    await lab.bury(...lab.members)
    expect(lab.members.map(member => lab.holdsBytes(member, forged))).toEqual([false, false])
    await expectEverywhere(
      lab,
      shownAs(photos, i => (i === 0 ? DELETED : `photo ${i}`))
    )
  })
})
