import { describe, expect, onTestFinished, test } from 'vitest'
import { SelfDescription, type SelfDescriptionComponents } from '../../../../src/cluster/members/self-description.js'
import { SheafError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import type { ActorId, VolumeId } from '../../../../src/domain/ids.js'
import { decodeHeartbeat, encodeHeartbeat } from '../../../../src/network/membership/heartbeat.js'
import type { Volume } from '../../../../src/volumes/volume.js'
import { SimulatedClock } from '../../../support/simulated-clock.js'

const EPOCH = '0123456789abcdef' as ActorId

interface Held {
  readonly id: VolumeId
  readonly end: number
  readonly chain: Uint8Array
  readonly holes: readonly { readonly from: number; readonly to: number }[]
}

function held(id: string, changes: Partial<Held> = {}): Held {
  return { id: id as VolumeId, end: 512, chain: new Uint8Array(16), holes: [], ...changes }
}

function description(
  volumes: readonly Held[],
  components: Partial<SelfDescriptionComponents> = {}
): { clock: SimulatedClock; subject: SelfDescription } {
  const clock = new SimulatedClock()
  const subject = new SelfDescription(
    {
      volumes: { epoch: EPOCH, volumes: () => [...volumes] as Volume[] },
      directory: { digest: () => 'ab', count: () => 7 },
      isRetired: () => false,
      space: async () => ({ freeBytes: 1, totalBytes: 2 }),
      clock,
      log: silentLog,
      ...components
    },
    { name: 'box', version: '1.2.3' }
  )
  onTestFinished(() => subject.stop())
  return { clock, subject }
}

const digest = (...volumes: Held[]): string => description(volumes).subject.describe().volumesDigest

test('describes the node, and the volumes that it writes', () => {
  const { subject } = description([held(`${EPOCH}-1`), held('fedcba9876543210-1'), held(`${EPOCH}-2`, { end: 1024 })])
  const nodeDescription = subject.describe()
  expect(nodeDescription).toMatchObject({ name: 'box', version: '1.2.3', epoch: EPOCH, directoryDigest: 'ab' })
  expect(nodeDescription.heads).toEqual([
    { volume: `${EPOCH}-1`, bytes: 512 },
    { volume: `${EPOCH}-2`, bytes: 1024 }
  ])
  const heartbeat = { ...nodeDescription, sequence: 1, addresses: [], now: 1n as never }
  expect(decodeHeartbeat(encodeHeartbeat(heartbeat))).toEqual(heartbeat)
})

test('says where its interface is, since when it runs, what it shows and how it catches up', () => {
  let etaS: number | undefined = 9
  const { clock, subject } = description([], {
    http: () => ['http://10.0.0.7:8000'],
    catchingUp: () => ({ bytesPerSecond: 1_000, etaS })
  })
  const startedAtMs = clock.now()
  const told = { http: ['http://10.0.0.7:8000'], startedAtMs, photos: 7, bytesPerS: 1_000, etaS: 9 }
  expect(subject.describe()).toMatchObject(told)
  etaS = undefined
  expect(subject.describe()).not.toHaveProperty('etaS')
  expect(description([]).subject.describe()).not.toHaveProperty('http')
})

test('says up to when deletes are purged, once it knows', () => {
  expect(description([]).subject.describe()).not.toHaveProperty('purgedToMs')
  let purgedToMs: number | undefined
  const { subject } = description([], { purgedToMs: () => purgedToMs })
  expect(subject.describe()).not.toHaveProperty('purgedToMs')
  purgedToMs = 0
  expect(subject.describe().purgedToMs).toBe(0)
})

describe('the digest of volumes', () => {
  test('does not depend on their order, nor on retired ones', () => {
    const [a, b] = [held(`${EPOCH}-1`), held(`${EPOCH}-2`)]
    expect(digest(a, b)).toBe(digest(b, a))
    const retired = description([a, b], { isRetired: id => id === b.id }).subject.describe()
    expect(retired.volumesDigest).toBe(digest(a))
    expect(retired.heads).toHaveLength(1)
  })

  test('follows every change of a volume, and is taken only then', () => {
    let looks = 0
    const none: Held['holes'] = Object.assign([], {
      map: () => {
        looks++
        return []
      }
    })
    const volumes = [held(`${EPOCH}-1`, { holes: none }), held(`${EPOCH}-2`)]
    const { subject } = description(volumes)
    const seen = new Set<string>()
    const look = (): number => seen.add(subject.describe().volumesDigest).size
    expect([look(), look(), looks]).toEqual([1, 1, 1])
    volumes[1] = held(`${EPOCH}-2`, { end: 520 })
    expect(look()).toBe(2)
    volumes[1] = held(`${EPOCH}-2`, { end: 520, holes: [{ from: 256, to: 264 }] })
    expect(look()).toBe(3)
    volumes[1] = held(`${EPOCH}-2`, { end: 520, chain: new Uint8Array(16).fill(1) })
    expect(look()).toBe(4)
    volumes.pop()
    expect(look()).toBe(5)
  })

  test('differs with every difference', () => {
    const id = `${EPOCH}-1`
    const digests = [
      digest(),
      digest(held(id)),
      digest(held(`${EPOCH}-3`)),
      digest(held(id), held(`${EPOCH}-2`)),
      digest(held(id, { end: 520 })),
      digest(held(id, { chain: new Uint8Array(16).fill(1) })),
      digest(held(id, { holes: [{ from: 256, to: 264 }] })),
      digest(held(id, { holes: [{ from: 256, to: 272 }] }))
    ]
    expect(new Set(digests).size).toBe(digests.length)
  })
})

test('the disk is queried at an interval, and never waited for', async () => {
  let queries = 0
  const { clock, subject } = description([], {
    space: async () => {
      queries++
      if (queries === 2) throw new SheafError('ERR_DISK_READ')
      return { freeBytes: 100 - queries, totalBytes: 200 }
    }
  })
  expect(subject.describe()).toMatchObject({ freeBytes: 0, totalBytes: 0 })
  await subject.start()
  await clock.advance(0)
  expect(subject.describe()).toMatchObject({ freeBytes: 99, totalBytes: 200 })
  await clock.advance(5_000)
  expect(subject.describe()).toMatchObject({ freeBytes: 99 })
  await clock.advance(2_000)
  expect(subject.describe()).toMatchObject({ freeBytes: 97 })
})

test('a directory that cannot be read has no digest; a defect stays one', () => {
  const failing = (code: 'ERR_DIRECTORY_UNAVAILABLE' | 'ERR_INTERNAL') => {
    const fail = (): never => {
      throw new SheafError(code)
    }
    return description([], { directory: { digest: fail, count: fail } }).subject
  }
  const unreadable = failing('ERR_DIRECTORY_UNAVAILABLE').describe()
  expect([unreadable.directoryDigest, 'photos' in unreadable]).toEqual(['', false])
  expect(() => failing('ERR_INTERNAL').describe()).toThrow(SheafError)
})
