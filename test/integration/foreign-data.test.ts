import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { VALUE_DEPTH_MAX, type Value } from '../../src/domain/cbor.js'
import { type Entry, GENERATION_MAX, VERSION_FIELD } from '../../src/domain/entry.js'
import { HLC_MAX, hlcFrom } from '../../src/domain/hlc.js'
import type { ActorId, NodeId } from '../../src/domain/ids.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import type { DirectoryRecord, RecordKey } from '../../src/domain/record.js'
import { decodeRecord, encodeRecord } from '../../src/domain/record-codec.js'
import { actorInLife, COUNTER_MAX, type LifeActor } from '../../src/domain/version-vector.js'
import type { Libp2pTransport } from '../../src/network/libp2p/libp2p-transport.js'
import { encodeMessage } from '../../src/network/rpc/message.js'
import {
  decodeGetAnswer,
  decodePutAnswer,
  encodeGetRequest,
  encodeNodesAnswer,
  encodePutRequest
} from '../../src/replication/records/anti-entropy-messages.js'
import { HttpClient } from '../support/http-client.js'
import { Libp2pNetwork } from '../support/libp2p-network.js'
import { NodeProcess, temporaryFolder } from '../support/node-process.js'
import { SeededRandom } from '../support/seeded-random.js'
import { until } from '../support/until.js'

/*
 * A member that says what no honest one would, against a real node over its port: nothing of it ends the node, keeps it from
 * starting, or takes a photo from its clients.
 */

const KEY = 'a key of some length'
const ATTACKER = 'aaaaaaaaaaaaaaaa' as ActorId
const NOW = hlcFrom(Date.UTC(2026, 10, 30))
const SIGNAL_MS = 10_000

const folder = temporaryFolder('foreign')
const network = new Libp2pNetwork()
let node: NodeProcess
let client: HttpClient
let attacker: Libp2pTransport
let victim: NodeId

beforeAll(async () => {
  node = await start()
  client = new HttpClient(node.url)
})

beforeEach(async () => {
  attacker = await network.create(KEY)
  answerMaliciously(attacker)
  await attacker.start()
  victim = (await attacker.dial(node.p2p, AbortSignal.timeout(SIGNAL_MS))) as NodeId
})

afterEach(() => attacker.stop())

afterAll(async () => {
  client.close()
  await network.close()
  await node.kill9()
  folder.remove()
})

function start(): Promise<NodeProcess> {
  return NodeProcess.start({
    dataDir: folder.path,
    environment: { SHEAF_CLUSTER_KEY: KEY },
    flags: ['--cluster-name', 'test']
  })
}

/** It differs in every bucket, and what it lists has kinds that would be longer if they were sent again. */
function answerMaliciously(transport: Libp2pTransport): void {
  const random = new SeededRandom(7)
  transport.handle('tree.nodes', async () =>
    encodeNodesAnswer({ root: random.bytes(16), children: random.bytes(16 * 8) })
  )
  const leaf = `00${'00'.repeat(8)}ff${'ff'.repeat(255)}000169`
  transport.handle('tree.leaves', async () => encodeMessage({ leaves: Buffer.from(`00000001${leaf}`, 'hex') }))
  transport.handle('member.refused', async () => encodeMessage({ returns: 1 }))
}

function ask(method: string, body: Uint8Array): Promise<Uint8Array> {
  return attacker.request(victim, method, body, AbortSignal.timeout(SIGNAL_MS))
}

/** @returns whether the node took it */
async function put(record: DirectoryRecord): Promise<boolean> {
  const answer = await ask('records.put', encodePutRequest({ records: [encodeRecord(record)], graves: [] }))
  return decodePutAnswer(answer) === 1
}

async function get(key: RecordKey): Promise<DirectoryRecord> {
  const { records } = decodeGetAnswer(await ask('records.get', encodeGetRequest([key])), 1)
  return decodeRecord(records[0] as Uint8Array)
}

async function upload(): Promise<DirectoryRecord> {
  const { photo_id } = await client.putPhoto(Buffer.from('bytes of a photo'), 'a.txt', 'text/plain')
  return get({ kind: PHOTO_KIND, id: photo_id })
}

interface Forgery extends Partial<Omit<Entry, 'dot'>> {
  readonly actor?: ActorId
  readonly counter?: number
}

/** @returns the record with what supersedes all that it holds, under dots of the attacker's choice */
function forged(before: DirectoryRecord, ...forgeries: readonly Forgery[]): DirectoryRecord {
  const value = before.entries.find(({ field }) => field === VERSION_FIELD)?.value ?? new Map<string, Value>()
  const common = { hlc: NOW, generation: 0, deleted: false, field: VERSION_FIELD, key: '', value }
  const entries = forgeries.map(({ actor = ATTACKER, counter = 1, ...rest }): Entry => {
    return { ...common, ...rest, dot: { actor: actorInLife(actor, rest.generation ?? 0), counter } }
  })
  const context = new Map([...before.context, ...entries.map(({ dot }) => [dot.actor, dot.counter] as const)])
  return { kind: before.kind, id: before.id, context, entries }
}

const nothing = { context: new Map<LifeActor, number>(), entries: [] }

/** Clients of the node notice nothing. */
async function expectServing(id: string): Promise<void> {
  const caption = `seen ${performance.now()}`
  expect((await client.patchMeta(id, { caption })).status).toBe(200)
  const meta = await client.meta(id)
  expect([meta.status, JSON.parse(meta.body.toString())]).toMatchObject([200, { caption }])
  for (const path of ['/photos', '/cluster', '/health/ready', '/status', `/photo/${id}`]) {
    expect([path, (await client.request('GET', path)).status]).toEqual([path, 200])
  }
  expect(node.alive).toBe(true)
}

function defects(): unknown[] {
  return node
    .log()
    .filter(({ level, msg }) => level >= 60 || msg.includes('defect') || msg.includes('directory failed'))
}

describe('records that break a rule are refused', () => {
  const cases: [string, (photo: DirectoryRecord) => DirectoryRecord][] = [
    ['a member without a version', () => ({ kind: 'member', id: attacker.self, ...nothing })],
    ['the node itself without a version', () => ({ kind: 'member', id: victim, ...nothing })],
    ['a volume without a version', () => ({ kind: 'volume', id: 'x-1', ...nothing })],
    ['a photo without a version', photo => ({ ...photo, entries: [] })],
    ['a photo that cannot be shown', photo => forged(photo, { value: new Map([['name', 'x']]) })],
    [
      'a photo of a piece for each byte',
      photo =>
        forged(photo, {
          value: new Map<string, Value>([...(photo.entries[0]?.value ?? []), ['chunk_bytes', 1], ['size', 2 ** 50]])
        })
    ],
    ['a photo under another spelling of its id', photo => ({ ...photo, id: photo.id.toUpperCase() })],
    ['a counter that none can follow', photo => forged(photo, { counter: 2 ** 53 - 1 })]
  ]
  test.each(cases)('%s', async (_name, make) => {
    const photo = await upload()
    expect(await put(make(photo))).toBe(false)
    await expectServing(photo.id)
  })
})

describe('records that only a malicious member writes take nothing from clients', () => {
  const cases: [string, (photo: DirectoryRecord) => DirectoryRecord[]][] = [
    [
      'the greatest stamp',
      photo => [forged(photo, { hlc: HLC_MAX }), forged(photo, { hlc: HLC_MAX, actor: 'ffffffffffffffff' as ActorId })]
    ],
    [
      'the last dot of the node',
      photo => [forged(photo, { actor: photo.entries[0]?.dot.actor as ActorId, counter: COUNTER_MAX })]
    ],
    [
      'two contents of one dot, as deep as can be',
      photo =>
        [1, 2].map(leaf => {
          const deep = Array.from({ length: VALUE_DEPTH_MAX - 1 }).reduce((value: Value) => [value], leaf)
          return forged(photo, {
            extra: new Map([[8, [deep]]]),
            value: new Map([...(photo.entries[0]?.value ?? []), ['x', deep]])
          })
        })
    ],
    [
      'a time that cannot be written',
      photo => {
        const far = { field: 'facts', key: 'taken_at', counter: 2, value: new Map([['ms', 1e300]]) }
        return [forged(photo, {}, far)]
      }
    ],
    [
      'text that breaks headers',
      photo => [
        forged(photo, {
          value: new Map<string, Value>([
            ...(photo.entries[0]?.value ?? []),
            ['content_type', 'a/b\r\nx: y'],
            ['name', 'a\r\n\0"'],
            ['logical_volume', '\0'],
            ['attributes', new Map([['__proto__', 'x']])]
          ])
        })
      ]
    ],
    [
      'a member since the end of time',
      () => [
        forged(
          { kind: 'member', id: 'x', ...nothing },
          {
            value: new Map<string, Value>([
              ['joined_at', 2 ** 53 - 1],
              ['addresses', ['', '/ip4/x', '\0', 'a'.repeat(9_000)]],
              ['name', 'x'.repeat(9_000)],
              ['__proto__', 1]
            ])
          }
        )
      ]
    ]
  ]
  test.each(cases)('%s', async (_name, make) => {
    const photo = await upload()
    for (const record of make(photo)) await put(record)
    await expectServing(photo.id)
    expect((await client.remove(photo.id)).status).toBe(200)
    expect((await client.request('POST', `/photo/${photo.id}/undelete`)).status).toBe(200)
    await expectServing(photo.id)
    expect(defects()).toEqual([])
  })

  test('a member that has used up its lives is out, and no more', async () => {
    const photo = await upload()
    const member = { kind: 'member', id: attacker.self, ...nothing }
    await put(forged(member, { generation: GENERATION_MAX, deleted: true }))
    await until('the node has hung up', SIGNAL_MS, async () => attacker.peers().length === 0)
    await expectServing(photo.id)
    expect(defects()).toEqual([])
  })

  test('a photo that has used up its lives is gone, and no more', async () => {
    const photo = await upload()
    expect(await put(forged(photo, { generation: GENERATION_MAX, deleted: true }))).toBe(true)
    expect((await client.request('POST', `/photo/${photo.id}/undelete`)).status).toBe(410)
    await expectServing((await upload()).id)
  })
})

test('no message of any kind, whatever is in it, ends the node or looks like a defect of it', async () => {
  const random = new SeededRandom(12)
  const recorded = JSON.parse(readFileSync(new URL('../fixtures/messages/v1.json', import.meta.url), 'utf8')) as Record<
    string,
    string
  >
  const bodies = Object.values(recorded).map(hex => Buffer.from(hex, 'hex'))
  const methods = [
    'member.beat',
    'member.beat-via',
    'member.peers',
    'member.refused',
    'records.get',
    'records.put',
    'relay.pass',
    'relay.take',
    'replica.state',
    'similar.search',
    'tree.leaves',
    'tree.nodes',
    'volume.ack',
    'volume.bytes',
    'volume.doubt',
    'volume.head',
    'volume.heads',
    'volume.read',
    'volume.superblock',
    'needle.find'
  ]
  for (let round = 0; round < 60; round++) {
    await Promise.all(
      methods.map(async method => {
        const own = Object.keys(recorded).filter(name => name.startsWith(method))
        const body = Buffer.from(
          own.length > 0 && random.chance(0.8)
            ? Buffer.from(recorded[random.pick(own)] as string, 'hex')
            : random.pick(bodies)
        )
        for (let flips = random.below(4); flips > 0; flips--)
          body[random.below(body.length)] = random.pick([0, 0xff, 0x1b, random.below(256)])
        await ask(method, body).catch(() => {}) // mostly refused
      })
    )
    for (const topic of ['records', 'events']) attacker.publish(topic, random.pick(bodies))
  }
  await expectServing((await upload()).id)
  expect(defects()).toEqual([])
})

test('one peer cannot put the node out by saying that it was removed', async () => {
  const body = encodeMessage({ how: 'removed', at: new Uint8Array(8).fill(0xff), now: 1 })
  expect(await ask('member.refused', body)).toEqual(Buffer.from(encodeMessage({ returns: 1 })))
  expect(node.log().filter(({ msg }) => msg.includes('restart it to rejoin'))).toEqual([])
})

test('after all that the node starts again, with what its clients wrote', async () => {
  const photo = await upload()
  await expectServing(photo.id)
  const before = (await client.meta(photo.id)).body.toString()
  node = await node.restart()
  client.close()
  client = new HttpClient(node.url)
  expect((await client.meta(photo.id)).body.toString()).toBe(before)
  await expectServing(photo.id)
})
