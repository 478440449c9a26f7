import { describe, expect, it } from 'vitest'
import type { Database } from '../../src/directory/database.js'
import { recordRowKey } from '../../src/directory/keys.js'
import { recordRow } from '../../src/directory/stored-record.js'
import type { ActorId, PhotoId } from '../../src/domain/ids.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import { changeRecord, type DirectoryRecord, type RecordKey, shownVersion } from '../../src/domain/record.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import { recordDraft } from '../../src/store/record-needles.js'
import { countingStamper } from '../support/domain-arbitraries.js'
import { nodePair } from '../support/node-pair.js'
import { SimulatedNode } from '../support/simulated-node.js'
import { laterFormat } from '../unit/directory/photo-log.js'

// Records that nobody can read, or that say what cannot be, in needles and in rows: no start and no upkeep fails over one.

async function upload(node: SimulatedNode): Promise<PhotoId> {
  const bytes = node.random.bytes(2_000)
  const body = (async function* () {
    yield bytes
  })()
  return (await node.services.photos.upload(body, { filename: 'a.bin' })).photoId
}

function recordOf(node: SimulatedNode, id: PhotoId): DirectoryRecord {
  return node.services.local.directory.getSync({ kind: PHOTO_KIND, id })?.record as DirectoryRecord
}

describe('a needle whose record cannot be read', () => {
  const data = Buffer.from('not a record at all')

  async function appendTo(node: SimulatedNode): Promise<void> {
    const header = { ...recordDraft(recordOf(node, await upload(node))).header, id: new Uint8Array(16).fill(7) }
    await node.services.local.volumes.append([{ header, data }], 'upkeep')
  }

  it('is copied, and the nodes start again', async () => {
    const { clock, a, b } = await nodePair()
    await appendTo(a)
    const id = await upload(a)
    await clock.advance(5_000)
    for (const node of [a, b]) {
      expect(node.occurrences(data)).toBe(1)
      node.die('crash')
      node.loseDirectory()
      await node.start()
      expect((await node.services.photos.open(id, 'orig')).head.size).toBe(2_000)
    }
    await Promise.all([a.stop(), b.stop()])
  })

  it('is kept whenever its volume is compacted', async () => {
    const node = new SimulatedNode({ purgeMs: 1_000 })
    await node.start()
    await appendTo(node)
    for (let round = 0; round < 3; round++) {
      const before = node.services.local.volumes.volumes()
      await node.services.photos.remove(await upload(node))
      await node.clock.advance(10_000)
      await node.finish(node.services.maintenance.compact())
      for (const { id } of before) expect(node.services.local.volumes.get(id)).toBeUndefined()
      expect(node.occurrences(data)).toBe(1)
    }
    await node.stop()
  })

  it('counts as whole, and a photo of billions of pieces is not counted through', async () => {
    const node = new SimulatedNode()
    await node.start()
    const { verdicts } = node.services.local
    expect(verdicts.isWhole(Uint8Array.of(0xff))).toBe(true)
    const record = recordOf(node, await upload(node))
    const value = new Map([...shownVersion(record).value, ['chunk_bytes', 1], ['size', 2 ** 32 - 1]])
    const key: RecordKey = { kind: PHOTO_KIND, id: '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b' }
    const forged = changeRecord(key, undefined, countingStamper(), [{ kind: 'version', value }])
    expect(verdicts.isWhole(encodeRecord(forged))).toBe(false)
    await node.services.local.directory.merge([encodeRecord(forged)])
    expect(await node.finish(node.services.maintenance.verify())).toMatchObject({ faults: { length: 1_000 } })
    await node.stop()
  })
})

describe('a node starts', () => {
  it('although the format of its cluster stands in a record of a later format', async () => {
    const { clock, a, b } = await nodePair()
    const key = { kind: 'cluster', id: 'format' }
    const record = changeRecord(key, undefined, countingStamper(), [{ kind: 'version', value: new Map() }])
    await a.services.local.volumes.append([{ ...recordDraft(record), data: laterFormat(record) }], 'upkeep')
    const id = await upload(a)
    await clock.advance(5_000)
    await b.stop()
    await b.start()
    expect(b.services.local.directory.isOpaque(key)).toBe(true)
    expect((await b.services.photos.open(id, 'orig')).head.size).toBe(2_000)
    await Promise.all([a.stop(), b.stop()])
  })

  const rows: [string, (database: Database, self: RecordKey) => Promise<void>][] = [
    [
      'of a member without a version, as earlier builds took them',
      async database => {
        const record: DirectoryRecord = {
          kind: 'member',
          id: 'x',
          context: new Map([['00000000000000a1' as ActorId, 1]]),
          entries: []
        }
        const { key, value } = recordRow(recordRowKey(record), { record, bytes: encodeRecord(record), home: undefined })
        await database.put(key, value)
      }
    ],
    [
      'of a member that is damaged',
      async (database, self) => {
        const key = recordRowKey(self)
        const value = Uint8Array.from((await database.get(key)) as Uint8Array)
        value[30] = (value[30] ?? 0) ^ 1
        await database.put(key, value)
      }
    ]
  ]
  it.each(rows)('although there is a row %s: it is made anew', async (_name, spoil) => {
    const { clock, a, b } = await nodePair()
    const id = await upload(a)
    await clock.advance(5_000)
    const self = { kind: 'member', id: 'b' }
    expect(b.services.local.directory.getSync(self)).toBeDefined()
    await b.stop()
    const database = await b.database.attach().open()
    await spoil(database, self)
    await database.close()
    await b.start()
    expect(b.services.local.directory.state).toBe('open')
    expect(b.services.local.directory.getSync(self)).toBeDefined()
    expect((await b.services.photos.open(id, 'orig')).head.size).toBe(2_000)
    await Promise.all([a.stop(), b.stop()])
  })
})
