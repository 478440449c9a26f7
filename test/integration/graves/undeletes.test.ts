import { describe, expect, test } from 'vitest'
import type { LabMember } from '../../support/cluster-lab.js'
import { expectEverywhere, startLab } from './lab-for-test.js'

// An undelete writes the bytes again, on one node. What it leaves must not be less safe than what it found (seed 520028).
describe('an undelete whose bytes are lost before another node has them', () => {
  test('leaves the photo with the copies that it had: they stand in, and compaction keeps them', async () => {
    const lab = await startLab(3)
    const [a, b, c] = lab.members as [LabMember, LabMember, LabMember]
    const photo = await lab.upload(a, 'photo')
    await lab.converge()
    await lab.remove(b, photo)
    await lab.converge()
    lab.cutOff(a)
    await lab.undelete(a, photo)
    await lab.tell(b, a, photo)
    await lab.stop(a)
    a.node.wipe()
    expect(await lab.show(b, photo)).toBe('photo')
    expect((await lab.until(b.services.photos.meta(photo))).copies).toBeGreaterThan(0)
    await lab.bury(b, c)
    await lab.start(a)
    await lab.reunite()
    for (const member of lab.members) expect(lab.bytesOf(member, photo, 1).length, member.id).toBeGreaterThan(0)
    await expectEverywhere(lab, { [photo]: 'photo' })
  })
})
