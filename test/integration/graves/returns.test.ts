import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../../src/core/errors.js'
import { COOKIE_BYTES, cookieFrom, type PhotoId } from '../../../src/domain/ids.js'
import { PHOTO_KIND } from '../../../src/domain/photo.js'
import { ERROR_MAP } from '../../../src/http/wire/error-map.js'
import type { NeedleLocation } from '../../../src/volumes/needle-store.js'
import { type ClusterLab, DAY_MS, HOUR_MS, type LabMember, UNDO_MS } from '../../support/cluster-lab.js'
import { expectEverywhere, startLab } from './lab-for-test.js'

type Three = [LabMember, LabMember, LabMember]

const DELETED = 'ERR_PHOTO_DELETED'
const YEAR_MS = 365 * DAY_MS

/** All nodes have only a grave of the photo, and after their time none of its bytes. */
async function expectGone(lab: ClusterLab, ...photos: readonly PhotoId[]): Promise<void> {
  await lab.bury(...lab.members)
  await lab.bury(...lab.members)
  for (const member of lab.members) {
    for (const photo of photos) {
      expect(lab.isBuried(member, photo), `${photo} at ${member.id}`).toBe(true)
      expect(lab.bytesOf(member, photo), `bytes of ${photo} at ${member.id}`).toEqual([])
    }
    expect(lab.laidOut(member)).toEqual([])
  }
}

/** An operator holds what is laid out on each node against what should be, and lets go of it. */
async function lookAt(lab: ClusterLab, laidOut: Readonly<Record<string, readonly PhotoId[]>>): Promise<void> {
  expect(Object.fromEntries(lab.members.map(member => [member.id, lab.laidOut(member)]))).toEqual(laidOut)
  for (const { services } of lab.members) await services.local.laidOut.release(() => true)
}

describe('a member that was away', () => {
  test.each(['cut off', 'switched off'] as const)('for a year, %s, buries what others deleted', async how => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const gone = await lab.upload(a, 'gone')
    const edited = await lab.upload(c, 'edited')
    const kept = await lab.upload(b, 'kept')
    await lab.converge()
    lab.cutOff(c)
    await lab.edit(c, edited, 'edited here alone')
    const news = await lab.upload(c, 'news')
    if (how === 'switched off') await lab.stop(c)
    await lab.remove(a, gone, edited)
    await lab.bury(a, b)
    await lab.leap(YEAR_MS)
    if (how === 'switched off') await lab.start(c)
    expect([await lab.show(c, gone), await lab.show(c, edited)]).toEqual(['gone', 'edited'])
    await lab.reunite()
    await expectEverywhere(lab, { [gone]: DELETED, [edited]: DELETED, [kept]: 'kept', [news]: 'news' })
    expect(lab.laidOut(c)).toEqual([gone, edited].sort())
    expect(c.services.local.laidOut.isAlarming).toBe(false)
    await lab.compact(c, true)
    expect([lab.holdsBytes(c, gone), lab.holdsBytes(c, edited)]).toEqual([true, true])
    await expectGone(lab, gone, edited)
    await expectEverywhere(lab, { [gone]: DELETED, [edited]: DELETED, [kept]: 'kept', [news]: 'news' })
  })

  test('and compacted meanwhile, so that the bytes stand in a volume that nobody knows', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const own = await lab.upload(c, 'its own delete')
    const gone = await lab.upload(c, 'gone')
    const kept = await lab.upload(c, 'kept')
    await lab.converge()
    lab.cutOff(c)
    await lab.remove(c, own)
    await lab.remove(a, gone)
    await lab.bury(c)
    await lab.bury(a, b)
    const [{ volume } = { volume: '' }] = lab.bytesOf(c, gone)
    expect(a.services.local.volumes.volumes().map(({ id }) => id as string)).not.toContain(volume)
    await lab.reunite()
    const shown = { [own]: DELETED, [gone]: DELETED, [kept]: 'kept' }
    await expectEverywhere(lab, shown)
    await lookAt(lab, { a: [own], b: [own], c: [gone] })
    await expectGone(lab, own, gone)
    await expectEverywhere(lab, shown)
  })

  test('and holds volumes that the others retired', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const gone = await lab.upload(a, 'gone')
    const kept = await lab.upload(a, 'kept')
    await lab.converge()
    const [{ volume } = { volume: '' }] = lab.bytesOf(c, gone)
    const held = (member: LabMember): boolean => member.services.local.volumes.volumes().some(({ id }) => id === volume)
    await lab.stop(c)
    await lab.remove(b, gone)
    await lab.bury(a, b)
    await lab.leap(YEAR_MS)
    expect([held(a), held(b)]).toEqual([false, false])
    await lab.start(c)
    await lab.reunite()
    expect(held(c)).toBe(true)
    await expectEverywhere(lab, { [gone]: DELETED, [kept]: 'kept' })
    await expectGone(lab, gone)
    expect(lab.members.map(held)).toEqual([false, false, false])
    await expectEverywhere(lab, { [gone]: DELETED, [kept]: 'kept' })
  })

  test('comes back with the disk of a year ago', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const gone = await lab.upload(c, 'gone')
    const undone = await lab.upload(c, 'undone')
    await lab.converge()
    const backup = c.node.backUp()
    const after = await lab.upload(c, 'after the backup')
    await lab.remove(c, gone, undone)
    await lab.undelete(c, undone)
    await lab.converge()
    await lab.bury(a, b, c)
    await lab.leap(YEAR_MS)
    await lab.stop(c)
    c.node.restore(backup)
    await lab.start(c)
    await lab.reunite()
    const shown = { [gone]: DELETED, [undone]: 'undone', [after]: 'after the backup' }
    await expectEverywhere(lab, shown)
    await expectGone(lab, gone)
    await expectEverywhere(lab, shown)
  })

  test('comes back with an empty disk', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const gone = await lab.upload(c, 'gone')
    const kept = await lab.upload(c, 'kept')
    const young = await lab.upload(c, 'young')
    await lab.converge()
    await lab.remove(a, gone)
    await lab.bury(a, b, c)
    await lab.remove(a, young)
    await lab.pass(5_000)
    await lab.stop(c)
    c.node.wipe()
    await lab.start(c)
    await lab.reunite()
    expect([lab.isBuried(c, gone), lab.isBuried(c, young)]).toEqual([true, false])
    expect(lab.laidOut(c)).toEqual([])
    await expectEverywhere(lab, { [gone]: DELETED, [young]: DELETED, [kept]: 'kept' })
    await lab.undelete(c, young)
    await expectEverywhere(lab, { [gone]: DELETED, [young]: 'young', [kept]: 'kept' })
  })

  test('and was removed, with new photos and deletes', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const gone = await lab.upload(a, 'gone')
    const there = await lab.upload(a, 'deleted there')
    await lab.converge()
    lab.cutOff(c)
    await lab.until(a.cluster.departures.remove(c.id))
    const news = await lab.upload(c, 'news')
    await lab.remove(c, there)
    await lab.remove(a, gone)
    await lab.bury(a, b)
    await lab.leap(YEAR_MS)
    expect(await lab.show(b, there)).toBe('deleted there')
    await lab.reunite()
    const shown = { [gone]: DELETED, [there]: DELETED, [news]: 'news' }
    await expectEverywhere(lab, shown)
    expect(a.cluster.departures.recordedMembers().sort()).toEqual(['a', 'b', 'c'])
    await lookAt(lab, { a: [there], b: [there], c: [gone] })
    await expectGone(lab, gone, there)
    await expectEverywhere(lab, shown)
  })

  test('and had undone the delete before the others buried it', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const photo = await lab.upload(a, 'photo')
    await lab.converge()
    await lab.remove(a, photo)
    await lab.converge()
    lab.cutOff(c)
    await lab.undelete(c, photo)
    await lab.bury(a, b)
    await lab.leap(YEAR_MS)
    expect([lab.isBuried(a, photo), lab.holdsBytes(a, photo)]).toEqual([true, false])
    await lab.reunite()
    await expectEverywhere(lab, { [photo]: 'photo' })
    expect(lab.members.map(member => lab.bytesOf(member, photo, 1).length > 0)).toEqual([true, true, true])
    await lab.remove(b, photo)
    await lab.converge()
    await expectGone(lab, photo)
    expect(lab.members.flatMap(member => lab.bytesOf(member, photo, 1))).toEqual([])
    await expectEverywhere(lab, { [photo]: DELETED })
  })

  test('does not stop the others from burying and from freeing the space', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const gone = await lab.upload(c, 'gone')
    await lab.converge()
    await lab.stop(c)
    await lab.remove(a, gone)
    await lab.bury(a, b)
    expect([a, b].map(member => lab.isBuried(member, gone))).toEqual([true, true])
    expect([a, b].flatMap(member => lab.bytesOf(member, gone))).toEqual([])
    await lab.start(c)
    await lab.reunite()
    await expectEverywhere(lab, { [gone]: DELETED })
  })

  test('never had the photo that was born and deleted elsewhere, and meets its birth later', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    await lab.stop(c)
    const gone = await lab.upload(b, 'gone')
    await lab.converge()
    const backup = b.node.backUp()
    await lab.remove(a, gone)
    await lab.bury(a, b)
    await lab.start(c)
    await lab.reunite()
    expect([lab.isBuried(c, gone), lab.holdsBytes(c, gone)]).toEqual([true, false])
    expect(lab.laidOut(c)).toEqual([])
    await lab.stop(b)
    b.node.restore(backup)
    lab.cutOff(a)
    await lab.start(b)
    await lab.pass(30_000)
    expect([lab.isBuried(b, gone), lab.isBuried(c, gone)]).toEqual([true, true])
    await lab.reunite()
    await expectEverywhere(lab, { [gone]: DELETED })
    await expectGone(lab, gone)
  })
})

describe('a photo', () => {
  test('known by gossip only, whose writer is gone, is deleted like any other', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    lab.cutOff(c)
    const lost = await lab.upload(c, 'lost')
    await lab.tell(a, c, lost)
    await lab.stop(c)
    await lab.pass(10_000)
    expect([await lab.show(a, lost), await lab.show(b, lost)]).toEqual([
      'ERR_BYTES_UNREACHABLE',
      'ERR_BYTES_UNREACHABLE'
    ])
    await lab.remove(b, lost)
    await expectEverywhere(lab, { [lost]: DELETED })
    await lab.bury(a, b)
    expect([lab.isBuried(a, lost), lab.isBuried(b, lost)]).toEqual([true, true])
    await expectEverywhere(lab, { [lost]: DELETED })
    c.node.wipe()
    await lab.start(c)
    await lab.reunite()
    await expectEverywhere(lab, { [lost]: DELETED })
  })

  test('whose old records damage hid meets its grave when they are repaired', async () => {
    const lab = await startLab(4, { absentMs: 10 * DAY_MS })
    const [a, b, c, writer] = lab.members as [LabMember, LabMember, LabMember, LabMember]
    const gone = await lab.upload(writer, 'gone')
    const large = 'kept'.repeat(2_000)
    const kept = await lab.upload(writer, large)
    await lab.converge()
    lab.cutOff(c)
    await lab.pass(5_000)
    const { stored } = c.services.local.directory.lookUp({ kind: PHOTO_KIND, id: gone })
    await lab.damage(c, stored?.home as NeedleLocation)
    await lab.stop(c)
    c.node.loseDirectory()
    await lab.start(c)
    expect([lab.knows(c, gone), lab.holdsBytes(c, gone), await lab.show(c, kept)]).toEqual([false, true, large])
    await lab.remove(a, gone)
    await lab.pass(5_000)
    await lab.leap(UNDO_MS - HOUR_MS)
    await lab.stop(writer) // so that nobody compacts its volumes
    await lab.leap(UNDO_MS / 4 + 2 * DAY_MS)
    for (const member of [a, b]) await lab.sweep(member)
    await lab.pass(5_000)
    expect([lab.isBuried(a, gone), lab.holdsBytes(a, gone)]).toEqual([true, true])
    await lab.reunite()
    expect(c.services.local.volumes.volumes().flatMap(({ holes }) => holes)).toEqual([])
    expect(lab.isBuried(c, gone)).toBe(true)
    await lab.start(writer)
    await lab.reunite()
    await expectEverywhere(lab, { [gone]: DELETED, [kept]: large })
    await expectGone(lab, gone)
    await expectEverywhere(lab, { [gone]: DELETED, [kept]: large })
  })

  test('deleted by a clock in 2099 is buried after the undo period of those who heard it, not before', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as Three
    const photo = await lab.upload(a, 'photo')
    const undone = await lab.upload(a, 'undone')
    await lab.converge()
    c.node.wall.skewMs = Date.UTC(2099, 0, 1) - lab.clock.now()
    await lab.remove(c, photo, undone)
    await lab.pass(5_000)
    await lab.leap(UNDO_MS - DAY_MS)
    for (const member of lab.members) await lab.compact(member)
    await lab.pass(5_000)
    expect(lab.members.map(member => lab.isBuried(member, photo))).toEqual([false, false, false])
    await lab.undelete(b, undone)
    await lab.leap(UNDO_MS / 4 + 3 * DAY_MS)
    for (const member of [a, b]) await lab.compact(member)
    await lab.pass(5_000)
    expect(lab.members.map(member => lab.isBuried(member, photo))).toEqual([true, true, true])
    await expectEverywhere(lab, { [photo]: DELETED, [undone]: 'undone' })
  })

  test('that is buried answers 410 to all but a second delete, and 404 to whoever shows a cookie', async () => {
    const lab = await startLab(2)
    const [a, b] = lab.members as [LabMember, LabMember]
    const photo = await lab.upload(a, 'photo')
    await lab.remove(a, photo)
    await lab.bury(a, b)
    for (const { services } of lab.members) {
      const { photos } = services
      const small = (async function* () {
        yield Buffer.from('small')
      })()
      const cookie = cookieFrom(new Uint8Array(COOKIE_BYTES))
      const outcomes = {
        delete: await lab.refusal(photos.remove(photo)),
        'batch delete': (await lab.until(photos.batchDelete([photo])))[0]?.error ?? '',
        undelete: await lab.refusal(photos.undelete(photo)),
        get: await lab.refusal(photos.open(photo, 'orig')),
        'get with a cookie': await lab.refusal(photos.open(photo, 'orig', cookie)),
        meta: await lab.refusal(photos.meta(photo)),
        patch: await lab.refusal(photos.patch(photo, { caption: 'late' })),
        conflicts: await lab.refusal(photos.conflicts(photo)),
        restore: await lab.refusal(photos.restore(photo, 1)),
        'a size': await lab.refusal(photos.addSize(photo, 'small', small, {}))
      }
      const status = (code: string): number => (code === '' ? 200 : ERROR_MAP[code as ErrorCode].status)
      expect(Object.entries(outcomes).map(([act, code]) => `${act} ${status(code)}`)).toEqual([
        'delete 200',
        'batch delete 200',
        'undelete 410',
        'get 410',
        'get with a cookie 404',
        'meta 410',
        'patch 410',
        'conflicts 410',
        'restore 410',
        'a size 410'
      ])
      expect(outcomes.undelete).toBe('ERR_BYTES_GONE')
    }
  })
})
