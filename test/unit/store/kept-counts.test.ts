import { describe, expect, test } from 'vitest'
import { silentLog } from '../../../src/core/log.js'
import type { VolumeId } from '../../../src/domain/ids.js'
import { KeptCounts } from '../../../src/store/kept-counts.js'
import { decodeCounts, encodeCounts } from '../../../src/store/kept-counts-file.js'
import { type Counted, type Tally, uncounted } from '../../../src/volumes/tally.js'
import type { Volume } from '../../../src/volumes/volume.js'
import { SeededRandom } from '../../support/seeded-random.js'
import { SimulatedClock } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'

const PATH = '/home/counts'
const GRACE_MS = 60_000
const ONE = 'fedcba9876543210-1' as VolumeId
const OTHER = '00000000000000ff-4294967295' as VolumeId

const tally = (changes: Partial<Tally> = {}): Tally => ({
  rows: 1_024,
  liveBytes: 7,
  deadBytes: 2 ** 40,
  gracedBytes: new Map([
    [937.5, 8],
    [1_875, 16]
  ]),
  oldestHeardAt: 900,
  holdsLaidOut: false,
  holdsHeard: false,
  holdsUnknown: false,
  buriedAt: 0,
  countedAt: 5_000,
  countedWallAt: 1_700_000_000_000,
  ...changes
})

const part = (from: number, to: number, of: Tally): Counted['parts'][number] => ({
  from,
  to,
  isStale: false,
  tally: of
})

const COUNTS = new Map<VolumeId, Counted>([
  [
    ONE,
    {
      end: 900,
      parts: [
        part(256, 300, tally()),
        uncounted(300, 400),
        part(400, Number.POSITIVE_INFINITY, tally({ oldestHeardAt: undefined, gracedBytes: new Map() }))
      ]
    }
  ],
  [OTHER, { end: 256, parts: [part(256, 300, tally({ oldestHeardAt: Number.NEGATIVE_INFINITY, buriedAt: 280 }))] }]
])

describe('the file of what was counted', () => {
  const bytes = encodeCounts(COUNTS, { graceMs: GRACE_MS, nowMs: 6_000 })

  test('says all of it, as long before as it was', () => {
    expect(decodeCounts(bytes, { graceMs: GRACE_MS, nowMs: 6_000 })).toEqual(COUNTS)
    const later = decodeCounts(bytes, { graceMs: GRACE_MS, nowMs: 100 })
    expect(later?.get(OTHER)?.parts[0]?.tally?.countedAt).toBe(-900)
  })

  test('is not valid with a bit flipped, without its end, or under other rules', () => {
    const decode = (altered: Uint8Array, graceMs = GRACE_MS): unknown => decodeCounts(altered, { graceMs, nowMs: 0 })
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes)
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8))
      expect(decode(flipped)).toBeUndefined()
      expect(decode(bytes.subarray(0, at))).toBeUndefined()
    }
    expect(decode(bytes, GRACE_MS + 1)).toBeUndefined()
  })
})

describe('what was counted is', () => {
  const lasting: readonly Volume[] = [
    { id: ONE, end: 900, holes: [] },
    { id: OTHER, end: 300, holes: [] }
  ] as unknown as Volume[]

  /** @returns which volumes the next process need not count, and what is left of the file */
  async function takenUp(
    changes: {
      readonly volumes?: readonly Volume[]
      readonly isAsItWas?: boolean
      readonly damage?: (disk: SimulatedDisk) => void
    } = {}
  ): Promise<{ readonly volumes: readonly VolumeId[]; readonly file: Uint8Array | undefined }> {
    const random = new SeededRandom(1)
    const disk = new SimulatedDisk({ random })
    const fileSystem = new SimulatedFileSystem(disk)
    await fileSystem.makeDirectory('/home')
    const taken: VolumeId[] = []
    const inspector = {
      graceMs: GRACE_MS,
      counted: ({ id }: Volume) => COUNTS.get(id),
      resume: ({ id }: Volume) => void taken.push(id)
    }
    const components = { fileSystem, clock: new SimulatedClock(), log: silentLog, inspector }
    await new KeptCounts({ ...components, volumes: { volumes: () => [...lasting] } }, PATH).leave()
    expect(await fileSystem.readFile(PATH)).toBeDefined()
    changes.damage?.(disk)
    const now = changes.volumes ?? lasting
    await new KeptCounts({ ...components, volumes: { volumes: () => [...now] } }, PATH).take(changes.isAsItWas ?? true)
    disk.crash() // what was removed stays so
    return { volumes: taken, file: await new SimulatedFileSystem(disk).readFile(PATH) }
  }

  test('taken up by the next process, once', async () => {
    expect(await takenUp()).toEqual({ volumes: [ONE, OTHER], file: undefined })
  })

  test('worth nothing when the log was replayed, or a volume is gone or shorter', async () => {
    const [one, other] = lasting as [Volume, Volume]
    expect(await takenUp({ isAsItWas: false })).toEqual({ volumes: [], file: undefined })
    expect(await takenUp({ volumes: [one] })).toEqual({ volumes: [], file: undefined })
    expect(await takenUp({ volumes: [{ ...one, end: 899 } as Volume, other] })).toMatchObject({ volumes: [] })
  })

  test('counted anew where there is a hole', async () => {
    const [one, other] = lasting as [Volume, Volume]
    const damaged = { ...one, holes: [{}] } as unknown as Volume
    expect(await takenUp({ volumes: [damaged, other] })).toEqual({ volumes: [OTHER], file: undefined })
  })

  test('counted anew when the disk cannot read it', async () => {
    expect(await takenUp({ damage: disk => disk.fail('read', { times: 1 }) })).toEqual({ volumes: [], file: undefined })
  })
})
