import { expect, test } from 'vitest'
import { UNDO_MS } from '../../support/cluster-lab.js'
import { spendYearAway } from '../../support/year-away.js'
import { startLab } from './lab-for-test.js'

const PHOTOS = 1_000
const DELETES = 500

test('a member that was away for a year holds nobody back, and is identical within a minute of its return', async () => {
  const lab = await startLab(3)
  const report = await spendYearAway(lab, { photos: PHOTOS, deletes: DELETES })
  expect(report.deleted.length).toBe(DELETES)
  expect(report.buriedMeanwhile).toBe(DELETES)
  expect(report.bytesLeftMeanwhile).toBe(0)
  expect(report.digestMs).toBeLessThan(60_000)
  expect(report.identicalMs).toBeLessThan(60_000)
  expect(report.laidOut).toBe(DELETES)
  expect(report.isAlarming).toBe(false)
  const live = PHOTOS - DELETES + report.news.length
  for (const member of lab.members) {
    expect(member.services.local.directory.count('all'), member.id).toBe(live)
    expect(
      report.deleted.filter(id => !lab.isBuried(member, id)),
      member.id
    ).toEqual([])
    await lab.rebuild(member)
    expect(member.services.local.directory.count('all'), `${member.id}, rebuilt`).toBe(live)
  }
  await lab.converge()
  await lab.leap(2 * UNDO_MS)
  for (const member of lab.members) await lab.compact(member)
  await lab.pass(5_000)
  for (const member of lab.members) {
    expect(
      report.deleted.filter(id => lab.holdsBytes(member, id)),
      member.id
    ).toEqual([])
    expect(
      report.news.filter(id => !lab.holdsBytes(member, id)),
      member.id
    ).toEqual([])
  }
})
