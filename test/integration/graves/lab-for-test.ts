import { expect, onTestFinished } from 'vitest'
import type { PhotoId } from '../../../src/domain/ids.js'
import { ClusterLab, type ClusterLabInit, type LabMember, type Shown } from '../../support/cluster-lab.js'

/** What a client should get of each photo. */
type Expected = Readonly<Record<PhotoId, Shown>>

/** As {@link ClusterLab.of}, for one test: at its end all nodes stop. */
export async function startLab(count: number, init: ClusterLabInit = {}): Promise<ClusterLab> {
  const lab = await ClusterLab.of(count, init)
  onTestFinished(async () => {
    await lab.end()
    expect(lab.network.defects).toEqual([])
  })
  return lab
}

/**
 * Holds all nodes that run against what users should see: now, from the volumes of each alone, and afterwards.
 *
 * @param photos - all that there are; what each shows: its text, or `ERR_…`
 */
export async function expectEverywhere(lab: ClusterLab, photos: Expected): Promise<void> {
  await lab.upkeep()
  for (const member of lab.running) await expectShown(lab, member, photos, 'once all are identical')
  for (const member of lab.running) {
    const before = lab.digest(member)
    lab.cutOff(member)
    await lab.pass(5_000)
    await lab.rebuild(member)
    await expectShown(lab, member, photos, 'from its volumes alone')
    expect(lab.digest(member), `${member.id}: the digest from its volumes alone`).toBe(before)
    await lab.reunite()
  }
  for (const member of lab.running) await expectShown(lab, member, photos, 'after all have rebuilt')
}

async function expectShown(lab: ClusterLab, member: LabMember, photos: Expected, when: string): Promise<void> {
  const ids = Object.keys(photos) as PhotoId[]
  const shown: Record<PhotoId, Shown> = {}
  for (const id of ids) shown[id] = await lab.show(member, id)
  expect(shown, `${member.id}, ${when}`).toEqual(photos)
  const listed = await lab.until(member.services.photos.list({ limit: 1_000 }))
  const live = ids.filter(id => !photos[id]?.startsWith('ERR_'))
  expect(listed.photos.map(({ photo }) => photo.id).sort(), `the list of ${member.id}, ${when}`).toEqual(live.sort())
}
