import { describe, expect, it } from 'vitest'
import { SheafError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { rereadHolesBriefly } from '../../../src/volumes/reread-holes.js'
import type { Volume } from '../../../src/volumes/volume.js'
import { VolumeCopies } from '../../../src/volumes/volume-copies.js'
import type { VolumeSet } from '../../../src/volumes/volume-set.js'
import { draftOf, identityOf, VolumeFixture } from '../../support/volume-fixture.js'

/** Two volumes, each with a hole of three needles that the disk can read again. */
async function gapped(): Promise<{ fixture: VolumeFixture; volumes: VolumeSet; gaps: Volume[] }> {
  const fixture = new VolumeFixture()
  const volumes = await fixture.start()
  for (let i = 0; i < 2; i++) {
    const drafts = Array.from({ length: 3 }, () => draftOf(identityOf(fixture.photoId(), 'record'), fixture.bytes(50)))
    const [first, , last] = await volumes.append(drafts, 'upload')
    const volume = volumes.get(first?.volume ?? volumes.logicalVolume) as Volume
    volume.noteHole({ from: first?.offset ?? 0, to: volume.end }, 'unreadable')
    expect(volume.inHole(last?.offset ?? 0)).toBe(true)
    await volumes.closeActive()
  }
  return { fixture, volumes, gaps: volumes.volumes() }
}

const holes = (gaps: readonly Volume[]): number[] => gaps.map(volume => volume.holes.length)

describe('a brief reread of holes', () => {
  it('repairs what can be read', async () => {
    const { fixture, volumes, gaps } = await gapped()
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    fixture.applied.forget()
    await volumes.replay()
    expect(fixture.applied.records).toEqual([])
    await rereadHolesBriefly(gaps, { copies, clock: fixture.clock, log: silentLog })
    expect(holes(gaps)).toEqual([0, 0])
    expect(fixture.applied.records).toHaveLength(6)
    expect(fixture.clock.pending).toBe(0)
  })

  it('passes over what is damaged, to the next needle of the hole', async () => {
    const { fixture, volumes, gaps } = await gapped()
    const [first] = gaps as [Volume]
    const [{ from, to } = { from: 0, to: 0 }] = first.holes
    fixture.disk.flipBit(first.path, from + 4, 1)
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    await rereadHolesBriefly(gaps, { copies, clock: fixture.clock, log: silentLog })
    const [left] = first.holes
    expect(left?.from).toBe(from)
    expect(left?.to).toBe(await first.boundaryAfter(from))
    expect(left?.to).toBeLessThan(to)
    expect(await first.boundaryAfter(to)).toBe(undefined)
  })

  it('repairs what can be read in a retired volume, too, so that compaction can remove it', async () => {
    const { fixture, volumes, gaps } = await gapped()
    const reserve = { admit: async () => {} }
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve, isRetired: () => true })
    await rereadHolesBriefly(gaps, { copies, clock: fixture.clock, log: silentLog })
    expect(holes(gaps)).toEqual([0, 0])
  })

  it('ends at its time limit, between two needles', async () => {
    const { fixture, gaps } = await gapped()
    let looks = 0
    const fill = async (): Promise<never> => {
      looks++
      await fixture.clock.advance(6_000)
      return undefined as never
    }
    await rereadHolesBriefly(gaps, { copies: { fill }, clock: fixture.clock, log: silentLog })
    expect(looks).toBe(2)
  })

  it('continues with the next volume after a failed write, but not without a directory', async () => {
    const { fixture, gaps } = await gapped()
    const asked: string[] = []
    const look = (code: 'ERR_DISK_WRITE' | 'ERR_DIRECTORY_UNAVAILABLE'): Promise<void> => {
      const fill = async ({ id }: Volume): Promise<never> => {
        asked.push(id)
        throw new SheafError(code)
      }
      return rereadHolesBriefly(gaps, { copies: { fill }, clock: fixture.clock, log: silentLog })
    }
    await look('ERR_DISK_WRITE')
    expect(asked).toEqual(gaps.map(({ id }) => id))
    await expect(look('ERR_DIRECTORY_UNAVAILABLE')).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    expect(asked).toHaveLength(3)
    expect(fixture.clock.pending).toBe(0)
  })
})

describe('a hole whose records the directory does not accept', () => {
  it('remains a hole, so that it is reread later', async () => {
    const { fixture, volumes, gaps } = await gapped()
    const before = gaps.map(volume => volume.holes)
    fixture.applied.failing = new SheafError('ERR_DIRECTORY_UNAVAILABLE')
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    const look = rereadHolesBriefly(gaps, { copies, clock: fixture.clock, log: silentLog })
    await expect(look).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNAVAILABLE' })
    expect(gaps.map(volume => volume.holes)).toEqual(before)
  })
})
