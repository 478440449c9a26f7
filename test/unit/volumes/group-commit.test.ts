import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { SheafError } from '../../../src/core/errors.js'
import type { File } from '../../../src/core/file-system.js'
import type { VolumeId } from '../../../src/domain/ids.js'
import {
  chainDigest,
  checkFooter,
  decodeHeader,
  durableTo,
  NEEDLE_HEADER_BYTES,
  needleBytes,
  volumeSeed
} from '../../../src/domain/needle.js'
import { GroupCommit } from '../../../src/volumes/group-commit.js'
import type { DurableGroup, NeedleDraft, NeedleLocation } from '../../../src/volumes/needle-store.js'
import { deferred } from '../../support/deferred.js'
import { RecordingTracer } from '../../support/recording-tracer.js'
import { settle } from '../../support/simulated-clock.js'
import { SimulatedDisk } from '../../support/simulated-disk.js'
import { SimulatedFileSystem } from '../../support/simulated-file-system.js'
import { HeldFile } from './held-file.js'

const VOLUME = '00000000000000aa-1' as VolumeId
const SEED = volumeSeed(VOLUME)
const START = 256
const CHAIN = new Uint8Array(16)
const MIB = 1024 * 1024

let file: HeldFile
let log: GroupCommit
let groups: DurableGroup[]
let commits: (() => Promise<void>)[]
let failures: SheafError[]

function draft(name: number, byteCount = 8, kind: 'data' | 'record' = 'data'): NeedleDraft {
  const id = new Uint8Array(16).fill(name)
  const header = { kind, id, generation: 1, alternateKey: 2, chunk: 3, flags: 0, cookie: new Uint8Array(16) } as const
  return { header, data: new Uint8Array(byteCount).fill(name) }
}

function components(target: HeldFile['file']) {
  return {
    file: target,
    commit: async (group: DurableGroup) => {
      groups.push(group)
      await commits.shift()?.()
    },
    failed: (error: SheafError) => void failures.push(error)
  }
}

/** Appends in one turn of the event loop. @returns what each comes to, later */
async function append(...appends: (readonly NeedleDraft[])[]): Promise<{ readonly done: Promise<NeedleLocation[]>[] }> {
  const done = appends.map(drafts => log.append(drafts))
  for (const promise of done) promise.catch(() => {}) // looked at later
  await settle()
  await settle()
  return { done }
}

const namesOf = (group: DurableGroup | undefined): number[] => group?.needles.map(({ id }) => id[0] as number) ?? []

beforeEach(() => {
  file = new HeldFile()
  groups = []
  commits = []
  failures = []
  log = new GroupCommit(components(file.file), { volume: VOLUME, seed: SEED, end: START, chain: CHAIN })
})

describe('appends', () => {
  test('stand one after the other and are told where, once they are durable and committed', async () => {
    const commit = deferred<void>()
    commits = [() => commit.promise]
    const {
      done: [first, second]
    } = await append([draft(1, 5), draft(2, 100)], [draft(3, 0)])
    const places = [START, START + needleBytes(5), START + needleBytes(5) + needleBytes(100)]
    expect(log.end).toBe((places[2] as number) + needleBytes(0))
    let told = false
    void first?.then(() => {
      told = true
    })
    await file.endWrite()
    await file.endSync()
    expect(told).toBe(false)
    commit.resolve()
    expect(await first).toEqual([
      { volume: VOLUME, offset: places[0], length: 5 },
      { volume: VOLUME, offset: places[1], length: 100 }
    ])
    expect(await second).toEqual([{ volume: VOLUME, offset: places[2], length: 0 }])
  })

  test('of one sync are one group: all of each needle that others ask for, with the bytes of records only', async () => {
    const { done } = await append([draft(1)], [draft(2, 9, 'record'), draft(3)])
    await file.endWrite()
    await file.endSync()
    await Promise.all(done)
    expect(groups).toHaveLength(1)
    const [group] = groups
    expect(group).toMatchObject({ volume: VOLUME, from: START, to: log.end })
    expect(namesOf(group)).toEqual([1, 2, 3])
    expect(group?.needles.map(({ data }) => data?.byteLength)).toEqual([undefined, 9, undefined])
    expect(group?.needles[0]).toMatchObject({ kind: 'data', generation: 1, alternateKey: 2, chunk: 3, flags: 0 })
  })

  test('make groups that adjoin, and a chain of digests over all footers', async () => {
    let chain: Uint8Array = CHAIN
    for (const name of [1, 2, 3]) {
      await append([draft(name, 8 * name)])
      const { bytes } = await file.endWrite()
      await file.endSync()
      chain = chainDigest(chain, bytes.subarray(NEEDLE_HEADER_BYTES + 8 * name))
      expect(Buffer.compare(groups.at(-1)?.chain ?? CHAIN, chain)).toBe(0)
    }
    const ends = groups.map(({ to }) => to)
    expect(groups.map(({ from }) => from)).toEqual([START, ...ends.slice(0, -1)])
    expect(ends.at(-1)).toBe(log.end)
  })

  test('say in each header up to where the volume was durable when it was written', async () => {
    await append([draft(1)])
    const first = await file.endWrite()
    await append([draft(2)])
    const second = await file.endWrite()
    await file.endSync()
    await append([draft(3)])
    const third = await file.endWrite()
    expect([first, second, third].map(({ bytes }) => durableTo(bytes))).toEqual([START, START, second.position])
  })

  test('are written as needles that any reader of the volume accepts', async () => {
    const sizes = fc.array(fc.array(fc.nat(70_000), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(sizes, async appends => {
        const disk = new SimulatedDisk({ folders: ['/d'] })
        const target = await new SimulatedFileSystem(disk).open('/d/v', 'create')
        const real = new GroupCommit(components(target), { volume: VOLUME, seed: SEED, end: START, chain: CHAIN })
        const done = appends.map((all, i) => real.append(all.map(byteCount => draft(i, byteCount))))
        for (const { offset, length } of (await Promise.all(done)).flat()) {
          const bytes = Buffer.alloc(needleBytes(length))
          await target.read(bytes, offset)
          expect(decodeHeader(bytes, SEED, offset)).toMatchObject({ length })
          expect(checkFooter(bytes, bytes.subarray(NEEDLE_HEADER_BYTES + length), SEED, offset)).toBeDefined()
        }
        expect(await target.size()).toBe(real.end)
      }),
      { numRuns: 10 }
    )
  })
})

describe('one write', () => {
  test('takes 300 needles at most', async () => {
    const { done } = await append(...Array.from({ length: 301 }, (_, i) => [draft(i % 256)]))
    await file.endWrite()
    await file.endWrite()
    const each = needleBytes(8)
    expect(file.calls).toEqual([`write ${START}+${300 * each}`, 'sync', `write ${START + 300 * each}+${each}`])
    await file.endSync()
    await file.endSync()
    expect(groups.map(({ needles }) => needles.length)).toEqual([300, 1])
    expect((await Promise.all(done)).at(-1)).toMatchObject([{ offset: START + 300 * each }])
  })

  test('takes 16 MiB at most, but an append that is larger in itself is not cut', async () => {
    const large = [draft(1, 9 * MIB), draft(2, 9 * MIB)]
    await append([draft(3)], large, [draft(4)])
    for (let i = 0; i < 3; i++) await file.endWrite()
    const small = needleBytes(8)
    const both = 2 * needleBytes(9 * MIB)
    const writes = file.calls.filter(call => call !== 'sync')
    expect(writes).toEqual([
      `write ${START}+${small}`,
      `write ${START + small}+${both}`,
      `write ${START + small + both}+${small}`
    ])
  })
})

describe('an append that fails', () => {
  test.each([
    ['EIO', 'ERR_DISK_WRITE'],
    ['ENOSPC', 'ERR_DISK_FULL'],
    ['EDQUOT', 'ERR_DISK_FULL']
  ])('with %s fails as %s, with all that waits; it is reported once', async (code, expected) => {
    const cause = Object.assign(new Error(code), { code })
    const {
      done: [first]
    } = await append([draft(1)])
    const {
      done: [waiting]
    } = await append([draft(2)])
    const { end } = log
    await file.endWrite(cause)
    const error = { code: expected, cause, details: { volume: VOLUME } }
    await expect(first).rejects.toMatchObject(error)
    await expect(waiting).rejects.toMatchObject(error)
    const {
      done: [late]
    } = await append([draft(3)])
    await expect(late).rejects.toMatchObject(error)
    expect(failures).toMatchObject([error])
    expect(groups).toEqual([])
    expect(log.end).toBe(end) // what is refused takes no place
  })

  test('because the sync failed was never committed', async () => {
    const {
      done: [first]
    } = await append([draft(1)])
    await file.endWrite()
    await file.endSync(Object.assign(new Error('EIO'), { code: 'EIO' }))
    await expect(first).rejects.toMatchObject({ code: 'ERR_DISK_WRITE' })
    expect(groups).toEqual([])
  })

  test('because its commit failed leaves the volume as good as it was', async () => {
    commits = [() => Promise.reject(new Error('the directory has failed'))]
    const {
      done: [first]
    } = await append([draft(1)])
    await file.endWrite()
    await file.endSync()
    await expect(first).rejects.toThrow('the directory has failed')
    expect(failures).toEqual([])
    const {
      done: [second]
    } = await append([draft(2)])
    await file.endWrite()
    await file.endSync()
    expect(await second).toMatchObject([{ offset: START + needleBytes(8) }])
    expect(groups.map(({ from, to }) => [from, to])).toEqual([
      [START, START + needleBytes(8)],
      [START + needleBytes(8), log.end]
    ])
  })
})

test('drain waits until the commits of all appends have ended', async () => {
  const commit = deferred<void>()
  commits = [() => commit.promise]
  await append([draft(1)])
  let drained = false
  const drain = log.drain().then(() => {
    drained = true
  })
  await file.endWrite()
  await file.endSync()
  expect(drained).toBe(false)
  commit.resolve()
  await drain
})

describe('traces', () => {
  let tracer: RecordingTracer

  beforeEach(() => {
    tracer = new RecordingTracer()
    const fast: Pick<File, 'write' | 'sync'> = {
      write: async parts => parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
      sync: async () => {}
    }
    const traced = { ...components(fast as File), tracer }
    log = new GroupCommit(traced, { volume: VOLUME, seed: SEED, end: START, chain: CHAIN })
  })

  test('a commit is a child of the first append that it carries, and links to the others', async () => {
    const uploads = ['upload 1', 'upload 2', 'upload 3'] as const
    const done = uploads.map((name, i) => tracer.run(tracer.begin(name), () => log.append([draft(i)])))
    const untraced = log.append([draft(9)])
    await Promise.all([...done, untraced])
    const appends = tracer.spans.filter(({ name }) => name === 'append')
    expect(appends.map(({ parent }) => parent)).toEqual(['1', '2', '3'].map((_, i) => tracer.spans[2 * i]?.traceParent))
    const commit = tracer.only('commit')
    expect(commit.parent).toBe(appends[0]?.traceParent)
    expect(commit.links).toEqual(appends.slice(1).map(({ traceParent }) => traceParent))
    expect(commit.attributes).toEqual({ needles: 4 })
    expect([...appends, commit].every(({ isEnded, failure }) => isEnded && failure === undefined)).toBe(true)
  })

  test('what follows from a commit belongs to it; of one that nobody traces, to nothing', async () => {
    const seen: (string | undefined)[] = []
    const held = deferred<void>()
    commits = [
      async () => {
        seen.push(tracer.current())
        await held.promise
      },
      async () => void seen.push(tracer.current())
    ]
    const first = tracer.run(tracer.begin('upload 1'), () => log.append([draft(1)]))
    while (seen.length === 0) await settle()
    // the stage that commits it goes on from the first one
    const second = log.append([draft(2)])
    await settle()
    held.resolve()
    await Promise.all([first, second])
    expect(seen).toEqual([tracer.only('commit').traceParent, undefined])
  })

  test('a commit that fails ends its spans with the failure', async () => {
    commits = [() => Promise.reject(new Error('planted'))]
    const append = tracer.run(tracer.begin('upload 1'), () => log.append([draft(1)]))
    await expect(append).rejects.toThrow('planted')
    for (const name of ['append', 'commit'] as const)
      expect(tracer.only(name)).toMatchObject({
        isEnded: true,
        failure: expect.objectContaining({ message: 'planted' })
      })
  })
})
