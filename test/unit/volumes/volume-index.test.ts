import { describe, expect, it } from 'vitest'
import type { Volume } from '../../../src/volumes/volume.js'
import type { VolumeSet } from '../../../src/volumes/volume-set.js'
import { draftOf, identityOf, VolumeFixture } from '../../support/volume-fixture.js'

async function withVolume(): Promise<{ fixture: VolumeFixture; volumes: VolumeSet; volume: Volume }> {
  const fixture = new VolumeFixture()
  const volumes = await fixture.start()
  await volumes.append([draftOf(identityOf(fixture.photoId()), fixture.bytes(1_000))], 'upload')
  await volumes.closeActive()
  return { fixture, volumes, volume: volumes.volumes()[0] as Volume }
}

/** What a reader does that found damage. */
async function noteDamage(volume: Volume): Promise<void> {
  volume.noteHole({ from: 256, to: volume.end }, 'corrupt')
  await volume.flushIndex()
}

describe('the index file of a volume', () => {
  it('is not made again after the volume was removed', async () => {
    const { fixture, volumes, volume } = await withVolume()
    await volumes.remove(volume)
    await noteDamage(volume)
    expect(fixture.disk.find(volume.indexPath)).toBeUndefined()
  })

  it('is not written after the volume was closed', async () => {
    const { fixture, volumes, volume } = await withVolume()
    const closing = volumes.stop()
    await noteDamage(volume)
    await closing
    const { size } = fixture.disk.file(volume.indexPath)
    volume.noteHole({ from: 0, to: 256 }, 'corrupt')
    await volume.flushIndex()
    expect(fixture.disk.file(volume.indexPath).size).toBe(size)
  })
})
