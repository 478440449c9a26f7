import { describe, expect, it } from 'vitest'
import type { PhotoId } from '../../src/domain/ids.js'
import { needleBytes } from '../../src/domain/needle.js'
import { SUPERBLOCK_BYTES } from '../../src/domain/superblock.js'
import { parseNeedles } from '../../src/volumes/needle-parser.js'
import { rereadHole } from '../../src/volumes/reread-holes.js'
import type { Volume } from '../../src/volumes/volume.js'
import { VolumeCopies } from '../../src/volumes/volume-copies.js'
import type { VolumeSet } from '../../src/volumes/volume-set.js'
import { deferred } from '../support/deferred.js'
import { settle } from '../support/simulated-clock.js'
import { draftOf, identityOf, only, VolumeFixture } from '../support/volume-fixture.js'

interface Written {
  readonly ids: readonly PhotoId[]
  readonly volume: Volume
  readonly bytes: Buffer
}

/** A volume of some needles, as its writer has it. */
async function written(fixture: VolumeFixture, volumes: VolumeSet, sizes: readonly number[]): Promise<Written> {
  const ids = sizes.map(() => fixture.photoId())
  for (const [i, id] of ids.entries())
    await volumes.append([draftOf(identityOf(id), fixture.bytes(sizes[i] as number))], 'upload')
  const [volume] = volumes.volumes() as [Volume]
  const bytes = Buffer.alloc(volume.end)
  fixture.disk.read(fixture.disk.file(volume.path), bytes, 0)
  return { ids, volume, bytes }
}

/** A node with the beginning of another's volume, and the rest of it. */
async function copied() {
  const writer = new VolumeFixture({ seed: 2, origin: new Uint8Array(32).fill(2) })
  const source = await written(writer, await writer.start(), [3_000, 2_000, 900])
  const fixture = new VolumeFixture()
  const volumes = await fixture.start()
  const retired = new Set<string>()
  const copies = new VolumeCopies({
    volumes,
    clock: fixture.clock,
    reserve: fixture.reserve[0] as never,
    isRetired: id => retired.has(id)
  })
  const copy = await copies.begin(source.volume.id, source.bytes)
  const firstEnd = SUPERBLOCK_BYTES + needleBytes(3_000)
  await (await copies.extend(copy, SUPERBLOCK_BYTES, source.bytes.subarray(SUPERBLOCK_BYTES, firstEnd))).durable
  const rest = source.bytes.subarray(firstEnd)
  return { fixture, volumes, copies, copy, source, firstEnd, rest, retired }
}

/** Has the next sync of the volume's file wait. @returns a function that lets it go on */
function holdSync({ file }: Volume): () => void {
  const held = deferred<void>()
  const sync = file.sync.bind(file)
  file.sync = async () => {
    file.sync = sync
    await held.promise
    return sync()
  }
  return () => held.resolve()
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await settle()
}

/** Makes a volume that takes the least free number. */
async function another(fixture: VolumeFixture, volumes: VolumeSet): Promise<Volume> {
  const id = fixture.photoId()
  await volumes.append([draftOf(identityOf(id), fixture.bytes(50_000))], 'upload')
  return volumes.get(only(volumes.locate(identityOf(id))).volume) as Volume
}

describe('a copy that still grows while it is to be removed', () => {
  it('stays, with what it has grown by, so that the caller looks again', async () => {
    const { volumes, copies, copy, source, firstEnd, rest, retired } = await copied()
    const goOn = holdSync(copy)
    const { durable } = await copies.extend(copy, firstEnd, rest)
    retired.add(copy.id)
    const removing = copies.remove(copy, copy.end)
    await settled()
    goOn()
    expect(await removing).toBe(false)
    await durable
    expect(volumes.get(copy.id)?.end).toBe(source.volume.end)
    expect(await copies.remove(copy, copy.end)).toBe(true)
    for (const id of source.ids) expect(volumes.locate(identityOf(id))).toEqual([])
    expect(volumes.index.count).toBe(0)
  })

  it('leaves nothing in the index that another volume could be blamed for, and is told as grown to nobody', async () => {
    const { fixture, volumes, copies, copy, source, firstEnd, rest } = await copied()
    const grown: Volume[] = []
    const { seed, chain } = copy
    const parsed = parseNeedles(rest, { volume: copy.id, seed, offset: firstEnd, chain })
    await copies.remove(copy, copy.end)
    volumes.onGrowth(volume => grown.push(volume))
    const late = volumes.commit(copy, { ...parsed, volume: copy.id, from: firstEnd, to: source.volume.end })
    await expect(late).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    expect(volumes.index.count).toBe(0)
    expect(grown).toEqual([])
    const next = await another(fixture, volumes)
    expect(next.number).toBe(copy.number)
    for (const id of source.ids) expect(volumes.locate(identityOf(id))).toEqual([])
  })
})

describe('a volume that was removed', () => {
  it('takes neither bytes nor repairs, and no hole', async () => {
    const { fixture, volumes, copies, copy, firstEnd, rest, source } = await copied()
    copy.noteHole({ from: SUPERBLOCK_BYTES, to: firstEnd }, 'corrupt')
    await copies.remove(copy, copy.end)
    expect(await copies.extend(copy, firstEnd, rest)).toMatchObject({ end: firstEnd })
    const first = source.bytes.subarray(SUPERBLOCK_BYTES, firstEnd)
    expect(await copies.fill(copy, SUPERBLOCK_BYTES, first)).toMatchObject({ end: SUPERBLOCK_BYTES })
    await copies.skip(copy, source.volume.end)
    const range = { from: SUPERBLOCK_BYTES, to: firstEnd }
    await expect(volumes.closeHole(copy, range, [])).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
    expect(copy.end).toBe(firstEnd)
    expect(fixture.volumeFiles()).toEqual([])
  })

  it('keeps its number while the index has needles of it, as those in a hole', async () => {
    const { fixture, volumes, copies, copy, firstEnd, rest } = await copied()
    await (await copies.extend(copy, firstEnd, rest)).durable
    copy.noteHole({ from: firstEnd, to: firstEnd + needleBytes(2_000) }, 'corrupt')
    await copies.remove(copy, copy.end)
    expect(volumes.index.needlesIn(copy.number)).toBe(1)
    const next = await another(fixture, volumes)
    expect(next.number).not.toBe(copy.number)
  })
})

describe('a read that the index leads to a place without a needle', () => {
  it.each(['in the index file', 'not written to it yet'])(
    'is no damage of the volume, whose rows are %s',
    async where => {
      const fixture = new VolumeFixture()
      const volumes = await fixture.start()
      const { ids, volume } = await written(fixture, volumes, [3_000, 2_000])
      if (where === 'in the index file') await volume.flushIndex()
      const [id] = ids as [PhotoId]
      const { offset } = only(volumes.locate(identityOf(id)))
      const stray = identityOf(fixture.photoId())
      volumes.index.add(stray, volume.number, offset + 800, 500)
      const location = only(volumes.locate(stray))
      expect(() => volumes.readSync(location, stray)).toThrow(expect.objectContaining({ code: 'ERR_NEEDLE_CORRUPT' }))
      await expect(volumes.read(location, stray)).rejects.toMatchObject({ code: 'ERR_BYTES_UNREACHABLE' })
      expect(volume.holes).toEqual([])
      expect(volumes.locate(stray)).toEqual([])
      for (const known of ids) expect(volumes.locate(identityOf(known))).toHaveLength(1)
    }
  )
})

describe('a hole that an earlier version noted within a needle', () => {
  it('is widened to whole needles at the start, and ends when it is read again', async () => {
    const fixture = new VolumeFixture()
    const { ids, volume } = await written(fixture, await fixture.start(), [900, 3_000, 2_000, 900])
    const [first, second, third] = [900, 3_000, 2_000].map(needleBytes) as [number, number, number]
    const from = SUPERBLOCK_BYTES + first
    volume.noteHole({ from: from + 800, to: from + second + 24 }, 'corrupt')
    const volumes = await fixture.restart()
    const again = volumes.get(volume.id) as Volume
    expect(again.holes).toMatchObject([{ from, to: from + second + third }])
    const copies = new VolumeCopies({ volumes, clock: fixture.clock, reserve: { admit: async () => {} } })
    for (const hole of again.holes) await rereadHole(again, hole, copies, new AbortController().signal)
    expect(again.holes).toEqual([])
    const last = (await fixture.restart()).get(volume.id) as Volume
    expect(last.holes).toEqual([])
    for (const id of ids) expect(volumes.locate(identityOf(id))).toHaveLength(1)
  })
})
