import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpClient } from '../support/http-client.js'
import {
  killAllNodes,
  MAIN,
  NodeProcess,
  type NodeProcessInit,
  REPOSITORY,
  temporaryFolder
} from '../support/node-process.js'
import { announceSeed, sha256Hex } from '../support/photo-maker.js'
import { SeededRandom } from '../support/seeded-random.js'
import { until } from '../support/until.js'

const NAMES = ['a', 'b', 'c'] as const
const PRESENT = 2
const NEXT = 3
/** A version that reads one record format more. */
const NEXT_PROGRAM: Partial<NodeProcessInit> = {
  main: join(REPOSITORY, 'test', 'support', 'next-main.ts'),
  nodeFlags: ['--import', 'tsx']
}
const SEEN_MS_MAX = 90_000
/** Members look every ten seconds whether all read more. */
const RISE_MS_MAX = 60_000

type Name = (typeof NAMES)[number]

interface ClusterJson {
  readonly record_format: number
  readonly members: readonly { readonly name: string; readonly state: string; readonly record_formats: unknown }[]
}

/** @returns a port that was free a moment ago */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

describe('a cluster of three that is upgraded node by node', () => {
  const folder = temporaryFolder('two-versions')
  const nodes = new Map<Name, NodeProcess>()
  /** What clients were told: the digest of a live photo, undefined of a deleted one. */
  const photos = new Map<string, string | undefined>()
  let random: SeededRandom

  const at = (name: Name): NodeProcess => nodes.get(name) as NodeProcess
  const client = (name: Name): HttpClient => new HttpClient(at(name).url)
  const cluster = (name: Name): Promise<ClusterJson> => client(name).json<ClusterJson>('GET', '/cluster', 200)
  const formats = async (): Promise<number[]> => (await Promise.all(NAMES.map(cluster))).map(each => each.record_format)

  async function allSee(names: readonly Name[]): Promise<boolean> {
    const views = await Promise.all(names.map(cluster))
    return views.every(({ members }) => members.filter(({ state }) => state === 'alive').length === names.length)
  }

  async function upload(name: Name): Promise<string> {
    const bytes = random.bytes(1 + random.below(100_000))
    const { photo_id: id } = await client(name).putPhoto(bytes, `${name}.bin`, 'application/octet-stream')
    photos.set(id, sha256Hex(bytes))
    return id
  }

  /** Each node uploads two photos, and deletes one that another has uploaded. */
  async function work(): Promise<void> {
    const fresh = new Map<Name, string>()
    for (const name of NAMES) {
      await upload(name)
      fresh.set(name, await upload(name))
    }
    for (const [i, name] of NAMES.entries()) {
      const id = fresh.get(NAMES[(i + 1) % NAMES.length] as Name) as string
      expect((await client(name).remove(id)).status).toBe(200)
      photos.set(id, undefined)
    }
  }

  /** @returns what is wrong with what the nodes serve; empty if each serves everything */
  async function wrongs(names: readonly Name[]): Promise<string[]> {
    const found: string[] = []
    for (const name of names) {
      const live = (await client(name).list()).photos.map(({ photo_id: id }) => id)
      for (const [id, sha256] of photos) {
        const answer = await client(name).photoDigest(id)
        if (sha256 === undefined ? answer.status !== 410 : answer.sha256 !== sha256)
          found.push(`${id} at ${name}: ${answer.status}`)
        if (live.includes(id) !== (sha256 !== undefined)) found.push(`${id} in the list of ${name}`)
      }
    }
    return found
  }

  async function servedEverywhere(): Promise<void> {
    await until('every node serves everything', SEEN_MS_MAX, async () => (await wrongs(NAMES)).length === 0)
    const digests = async (): Promise<Set<string>> => {
      const statuses = NAMES.map(name => client(name).json<{ directory_digest: string }>('GET', '/status', 200))
      return new Set((await Promise.all(statuses)).map(({ directory_digest: digest }) => digest))
    }
    await until('directories are equal', SEEN_MS_MAX, async () => (await digests()).size === 1)
  }

  async function upgrade(name: Name): Promise<void> {
    nodes.set(name, await at(name).restart(NEXT_PROGRAM))
    await until('all see all', SEEN_MS_MAX, () => allSee(NAMES))
  }

  beforeAll(async () => {
    random = new SeededRandom(announceSeed('two-versions'))
    const ports = await Promise.all(NAMES.map(freePort))
    const addresses = ports.map(port => `127.0.0.1:${port}`)
    for (const [i, name] of NAMES.entries()) {
      const flags = ['--p2p', addresses[i] as string, '--join', addresses.join(), '--name', name]
      nodes.set(name, await NodeProcess.start({ dataDir: join(folder.path, name), flags }))
    }
    await until('all see all', SEEN_MS_MAX, () => allSee(NAMES))
  }, 60_000)

  afterAll(async () => {
    await killAllNodes()
    folder.remove()
  })

  test('serves every upload, read and delete on every node while two versions run', async () => {
    await work()
    for (const name of ['a', 'b'] as const) {
      await upgrade(name)
      await work()
      await servedEverywhere()
      expect(await formats()).toEqual([PRESENT, PRESENT, PRESENT])
    }
    const { members } = await cluster('c')
    const shown = members.map(({ name, record_formats }) => [name, record_formats])
    expect(Object.fromEntries(shown)).toEqual({ a: [2, NEXT], b: [2, NEXT], c: [2, PRESENT] })
  }, 180_000)

  test('rises once the last one is upgraded', async () => {
    await upgrade('c')
    await until('the format has risen', RISE_MS_MAX, async () => (await formats()).every(format => format === NEXT))
    await work()
    await servedEverywhere()
  }, 180_000)

  test('then refuses one that went back, which hides what it cannot read and says so, until it is upgraded again', async () => {
    const later = await upload('a')
    await servedEverywhere()
    nodes.set('c', await at('c').restart({ main: MAIN, nodeFlags: [] }))
    const reasons = (name: Name): unknown[] =>
      at(name)
        .log()
        .filter(({ msg }) => msg === 'refused a node')
        .map(({ reason }) => reason)
    await until('both refuse', SEEN_MS_MAX, async () => reasons('c').length > 0 && reasons('a').length > 0)
    expect(reasons('c')[0]).toMatch(/the cluster has record format 3 .*: upgrade this node, see UPGRADING\.md/)
    expect(reasons('a')[0]).toMatch(/the cluster has record format 3 .*: upgrade the other node, see UPGRADING\.md/)
    const loud = at('c')
      .log()
      .filter(({ level, msg }) => level === 50 && msg.startsWith('THE CLUSTER HAS A LATER'))
    expect(loud).not.toEqual([])
    const { status, body } = await client('c').request('GET', '/health/ready')
    expect([status, JSON.parse(body.toString())]).toMatchObject([503, { code: 'ERR_FORMAT_TOO_NEW' }])
    expect((await client('c').photo(later)).status).toBe(503)
    const [first, sha256] = [...photos].find(([, digest]) => digest !== undefined) as [string, string]
    expect(await client('c').photoDigest(first)).toMatchObject({ status: 200, sha256 })
    expect(await wrongs(['a', 'b'])).toEqual([])
    const own = await upload('c')
    await upgrade('c')
    await servedEverywhere()
    expect(photos.has(own)).toBe(true)
    expect(await Promise.all(NAMES.map(name => at(name).stop()))).toEqual([0, 0, 0])
  }, 180_000)
})
