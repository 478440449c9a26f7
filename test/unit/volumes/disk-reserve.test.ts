import { describe, expect, it } from 'vitest'
import type { Logger } from '../../../src/core/log.js'
import { DiskReserve } from '../../../src/volumes/disk-reserve.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

const DISK_FULL = { code: 'ERR_DISK_FULL' }

/** A disk of 10,000 bytes of which uploads leave 4,000, and records of other nodes 1,000. */
async function reserved() {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ folders: ['/data'], capacityBytes: 10_000 })
  const said: string[] = []
  const note = (_fields: unknown, message: string): void => void said.push(message)
  const log = { warn: note, info: note } as unknown as Logger
  const reserve = new DiskReserve(
    { fileSystem: new SimulatedFileSystem(disk), clock, log },
    { folder: '/data', ballastPath: '/data/ballast', reserveBytes: 4_000, recordReserveBytes: 1_000 }
  )
  await reserve.start()
  const file = disk.create('/data/others')
  const use = async (byteCount: number): Promise<void> => {
    disk.resize(file, byteCount)
    await clock.advance(2_000)
  }
  return { reserve, use, fill: (byteCount: number) => disk.resize(file, byteCount), said }
}

describe('a full disk', () => {
  it('is said to be full once, until what did not fit would', async () => {
    const { reserve, use, said } = await reserved()
    await use(5_000)
    for (let i = 0; i < 5; i++) await expect(reserve.admit(1_000)).rejects.toMatchObject(DISK_FULL)
    expect([reserve.isFull, said.length]).toEqual([true, 1])
    await use(4_800)
    await reserve.refresh()
    expect([reserve.isFull, said.length]).toEqual([true, 1])
    await use(2_000)
    await reserve.refresh()
    expect([reserve.isFull, said.length]).toEqual([false, 2])
    await reserve.admit(1_000)
  })

  it('takes records of other nodes for longer than uploads, but leaves some space to its own', async () => {
    const { reserve, use } = await reserved()
    await use(7_000)
    await expect(reserve.admit(100)).rejects.toMatchObject(DISK_FULL)
    await reserve.admitRecords(100)
    await use(8_450)
    await expect(reserve.admitRecords(100)).rejects.toMatchObject({ ...DISK_FULL, details: { reserve_bytes: 1_000 } })
  })

  it('keeps the room of the ballast for what may use it, though it was measured just before', async () => {
    const { reserve, fill } = await reserved()
    await reserve.admit(100)
    fill(9_500)
    await reserve.releaseBallast()
    await expect(reserve.admit(100)).rejects.toMatchObject(DISK_FULL)
  })
})
