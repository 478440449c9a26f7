import { describe, expect, test } from 'vitest'
import { PHOTO_KIND } from '../../../src/domain/photo.js'
import type { DirectoryRecord } from '../../../src/domain/record.js'
import { encodeRecord } from '../../../src/domain/record-codec.js'
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
    const { stored } = a.services.local.directory.lookUp({ kind: PHOTO_KIND, id: photo })
    await lab.stop(a)
    a.node.wipe()
    // of the undelete only the record came
    await lab.until(b.services.local.directory.merge([encodeRecord(stored?.record as DirectoryRecord)], a.id))
    expect(await lab.show(b, photo)).toBe('photo')
    await lab.bury(b, c)
    await lab.start(a)
    await lab.reunite()
    for (const member of lab.members) expect(lab.bytesOf(member, photo, 1).length, member.id).toBeGreaterThan(0)
    await expectEverywhere(lab, { [photo]: 'photo' })
  })
})
