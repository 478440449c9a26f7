import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { levelDatabase } from '../../src/directory/database.js'
import { loadIdentity, verifySignature } from '../../src/identity.js'
import { NodeServices } from '../../src/node-services.js'
import { type DescribedFolder, describeFolder, type Json } from '../fixtures/folders/describe-folder.js'
import type { HttpClient } from '../support/http-client.js'
import { type Contents, contentsOf, FOLDERS, type OpenNode, open, unpack } from '../support/old-folder.js'
import { until } from '../support/until.js'

/*
 * Data folders of earlier builds, see test/fixtures/README.md: every version opens them and shows what the build showed that
 * wrote them.
 */

const DAY_MS = 24 * 3_600_000
const VERSIONS = (await readdir(FOLDERS, { withFileTypes: true })).filter(entry => entry.isDirectory())

/**
 * Opens the folder and reads all of it, twice: what the first open changed must not change what the second one shows. The
 * digest of the directory is over records of today's format, so it is another one than then, but the same until the node of today
 * writes what it finds out about a picture by itself, a moment after its start. That is not looked at.
 */
async function expectContents(folder: string, contents: Contents): Promise<void> {
  const { status, photos, list, total, volumes, members } = contents
  const digests = new Set<unknown>()
  for (let i = 0; i < 2; i++) {
    const { client, complaints, stop } = await open(folder, contents)
    const described = await describeFolder(client, Object.keys(photos))
    if (described.volumes.length === volumes.length) digests.add(described.status.directory_digest)
    const shown = {
      ...described,
      photos: withFieldsOf(photos, withoutLives(described.photos, actorsIn(photos))),
      volumes: described.volumes.filter(({ logical_volume }) =>
        volumes.some(it => it.logical_volume === logical_volume)
      )
    }
    const { directory_digest } = described.status
    expect(shown).toEqual({ status: { ...status, directory_digest }, photos, list, total, volumes, members })
    expect(complaints).toEqual([])
    await stop()
  }
  expect(digests.size).toBeLessThanOrEqual(1)
}

/** Without the fields that metadata and conflicts have had since then. */
function withFieldsOf(then: DescribedFolder['photos'], now: DescribedFolder['photos']): DescribedFolder['photos'] {
  return Object.fromEntries(
    Object.entries(now).map(([id, photo]) => [
      id,
      {
        ...photo,
        ...(photo.meta !== undefined && { meta: fieldsOf(then[id]?.meta, photo.meta) }),
        ...(photo.conflicts !== undefined && { conflicts: fieldsOf(then[id]?.conflicts, photo.conflicts) })
      }
    ])
  )
}

/** @returns what is now, without the fields of its objects that were not there then */
function fieldsOf(then: unknown, now: unknown): Json {
  if (Array.isArray(now) && Array.isArray(then)) return now.map((one, i) => fieldsOf(then[i], one)) as unknown as Json
  if (typeof now !== 'object' || now === null || typeof then !== 'object' || then === null) return now as Json
  return Object.fromEntries(Object.entries(now).filter(([field]) => field in then))
}

/** @returns who had written any of it */
function actorsIn(photos: DescribedFolder['photos']): ReadonlySet<string> {
  const actors = new Set<string>()
  JSON.stringify(photos, (key, value) => {
    if (key === 'vector_clock') for (const actor of Object.keys(value as object)) actors.add(actor)
    return value
  })
  return actors
}

/** Versions as they were before dots belonged to a life, of those actors: of an actor in a later life only the actor. */
function withoutLives(photos: DescribedFolder['photos'], actors: ReadonlySet<string>): DescribedFolder['photos'] {
  const text = JSON.stringify(photos, (key, value) => {
    if (key === 'actor' && typeof value === 'string') return value.slice(0, 16)
    if (key !== 'vector_clock') return value
    return Object.fromEntries(Object.entries(value as object).filter(([actor]) => actors.has(actor)))
  })
  return JSON.parse(text) as DescribedFolder['photos']
}

/** The services of a node on the folder, without any network, by a clock that can be put forward. */
async function openServices(folder: string): Promise<{ services: NodeServices; skip: (ms: number) => void }> {
  let skippedMs = 0
  const clock: Clock = {
    ...systemClock,
    now: () => systemClock.now() + skippedMs,
    monotonic: () => systemClock.monotonic() + skippedMs
  }
  const components = { clock, random: systemRandom, fileSystem: nodeFileSystem, log: silentLog }
  const identity = await loadIdentity(components, folder)
  const services = new NodeServices(
    {
      ...components,
      database: levelDatabase(join(folder, 'directory'), nodeFileSystem),
      sign: bytes => identity.sign(bytes),
      verifySignature
    },
    {
      folder,
      origin: identity.publicKey,
      volumeBytes: 2 ** 20,
      purgeMs: 30 * DAY_MS,
      maxUploadBytes: 2 ** 30,
      minCopies: 1,
      requireCookie: false
    }
  )
  onTestFinished(() => services.stop())
  await services.start()
  return {
    services,
    skip: ms => {
      skippedMs += ms
    }
  }
}

async function digestOf({ client }: OpenNode): Promise<unknown> {
  return (await client.json<Json>('GET', '/status', 200)).directory_digest
}

/** Waits until two nodes are the same. */
async function converge(one: OpenNode, other: OpenNode): Promise<void> {
  await until('equal directories', 90_000, async () => (await digestOf(one)) === (await digestOf(other)))
}

async function verify(client: HttpClient): Promise<unknown> {
  const { job_id } = await client.json<{ job_id: string }>('POST', '/v1/admin/verify', 202)
  for (;;) {
    const { state, result } = await client.json<Json>('GET', `/v1/admin/jobs/${job_id}`, 200)
    if (state !== 'queued' && state !== 'running') return result
  }
}

describe.each(VERSIONS.map(({ name }) => name))('a data folder of %s', version => {
  it('shows what it showed', async () => {
    await expectContents(await unpack(version), await contentsOf(version))
  })

  it('shows it without its directory', async () => {
    const folder = await unpack(version)
    await rm(join(folder, 'directory'), { recursive: true })
    await expectContents(folder, await contentsOf(version))
  })

  it('shows it without the indexes of its volumes', async () => {
    const folder = await unpack(version)
    const names = await readdir(join(folder, 'volumes'))
    const indexes = names.filter(name => name.endsWith('.index'))
    expect(indexes).not.toEqual([])
    for (const name of indexes) await rm(join(folder, 'volumes', name))
    await expectContents(folder, await contentsOf(version))
  })

  it('can be written to', async () => {
    const folder = await unpack(version)
    const contents = await contentsOf(version)
    const { photos, list, undelete } = contents
    const [edited = '', deleted = ''] = list
    let { client, stop } = await open(folder, contents)
    expect((await client.patchMeta(edited, { caption: 'edited today', tags: { add: ['today'] } })).status).toBe(200)
    expect((await client.request('DELETE', `/photo/${deleted}`)).status).toBe(200)
    const undeleted = Object.keys(undelete).filter(id => undelete[id] === 200)
    expect(undeleted).not.toEqual([])
    for (const [id, status] of Object.entries(undelete))
      expect({ id, status: (await client.request('POST', `/photo/${id}/undelete`)).status }).toEqual({ id, status })
    const added = (await client.putPhoto(Buffer.from('new'), 'new.txt', 'text/plain')).photo_id
    const ids = [...Object.keys(photos), added]
    const written = await describeFolder(client, ids)
    expect(new Set(written.list)).toEqual(new Set([...list.filter(id => id !== deleted), ...undeleted, added]))
    expect(written.photos[deleted]).toEqual({ status: 410, code: 'ERR_PHOTO_DELETED' })
    const before = photos[edited]?.meta as { readonly tags: readonly string[] }
    expect(written.photos[edited]?.meta).toMatchObject({
      ...before,
      caption: 'edited today',
      tags: [...before.tags, 'today'].sort(),
      version: expect.anything()
    })
    expect(await verify(client)).toMatchObject({ faults: [] })
    await stop()

    await rm(join(folder, 'directory'), { recursive: true })
    ;({ client, stop } = await open(folder, contents))
    expect(await describeFolder(client, ids)).toEqual(written)
    await stop()
  })

  it('is clean, and what was deleted is buried once its undo period is over, and no sooner', async () => {
    const folder = await unpack(version)
    const { photos } = await contentsOf(version)
    const deleted = Object.keys(photos).filter(id => photos[id]?.status === 410)
    const keys = deleted.map(id => ({ kind: 'photo', id }))
    const { services, skip } = await openServices(folder)
    const { directory, sweep } = services.local
    const signal = new AbortController().signal
    expect(await directory.verify()).toEqual([])
    expect((await directory.deathsOf(keys)).map(death => death?.heardAt)).toEqual(keys.map(() => 0))
    skip(29 * DAY_MS)
    expect(await sweep.run(signal)).toBe(0)
    skip(9 * DAY_MS)
    expect(await sweep.run(signal)).toBeGreaterThanOrEqual(deleted.length)
    expect((await directory.lookUpMany(keys)).map(({ grave }) => grave)).toEqual(
      keys.map(() => ({ generation: expect.any(Number) as number, isLogged: true }))
    )
    for await (const death of directory.deaths()) throw new Error(`${death.kind} ${death.id} is not buried`)
    expect(await directory.verify()).toEqual([])
    const digest = directory.digest()
    await services.local.refill(() => directory.clear())
    expect([directory.digest(), await directory.verify()]).toEqual([digest, []])
  })
})

describe('data folders of one cluster of before', () => {
  it('show the same once their nodes have met, whatever each had written alone', async () => {
    const [a, b] = await Promise.all(['v1-lives-a', 'v1-lives-b'].map(version => unpack(version)))
    const [ofA, ofB] = await Promise.all(['v1-lives-a', 'v1-lives-b'].map(version => contentsOf(version)))
    if (a === undefined || b === undefined || ofA === undefined || ofB === undefined) throw new Error('no folders')
    const [nodeA, nodeB] = [await open(a, ofA), await open(b, ofB)]
    expect(await digestOf(nodeA)).not.toBe(await digestOf(nodeB))
    await nodeB.stop()
    const again = await open(b, ofB, ['--join', nodeA.p2p])
    await converge(nodeA, again)
    const ids = Object.values(ofA.ids)
    const [shownA, shownB] = [await describeFolder(nodeA.client, ids), await describeFolder(again.client, ids)]
    expect(shownA.photos).toEqual(shownB.photos)
    const shown = (name: string): unknown => {
      const { status, meta, conflicts } = shownA.photos[ofA.ids[name] ?? ''] ?? {}
      return [status, meta?.tags, (conflicts as Json[] | undefined)?.map(({ caption }) => caption)]
    }
    expect(shown('conflict')).toEqual([200, ['from a', 'from b'], ['as a sees it']])
    for (const name of ['apart', 'againApart'])
      expect(shown(name)).toEqual([200, ['from a', 'from b'], ['as a sees it']])
    expect(shown('deletedApart')).toEqual([410, undefined, undefined])
    for (const { client } of [nodeA, again]) expect(await verify(client)).toMatchObject({ faults: [] })

    // also when one of them makes its directory again from all that has come to it
    await until('all volumes', 90_000, async () => {
      const { members } = await again.client.json<{ members: readonly Json[] }>('GET', '/cluster', 200)
      return members.every(({ lag_bytes }) => lag_bytes === 0)
    })
    await again.stop()
    await rm(join(b, 'directory'), { recursive: true })
    await converge(nodeA, await open(b, ofB, ['--join', nodeA.p2p]))
  })

  it('do not mix when one was beyond the horizon: both nodes say so, and each serves what it has', async () => {
    const contents = await contentsOf('v1')
    const { list, members } = contents
    const [kept, late] = [await unpack('v1'), await unpack('v1')]
    await rm(join(late, 'identity.key')) // of another node, then
    const path = join(late, 'promises.json')
    const promises = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>
    const [ms = '', counter = ''] = (promises.clean ?? '').split('.')
    const clean = `${Number(ms) - 1}.${counter}`
    await writeFile(path, JSON.stringify({ ...promises, clean, horizon: '0.0' }))
    const nodeA = await open(kept, contents)
    const nodeB = await open(late, contents, ['--join', nodeA.p2p])
    await until('both refuse', 90_000, async () => nodeA.complaints.length > 0 && nodeB.complaints.length > 1)
    expect(nodeA.complaints).toEqual(['refused a node'])
    expect([...new Set(nodeB.complaints)].sort()).toEqual([
      expect.stringMatching(/^THIS NODE WAS BEYOND THE HORIZON/),
      'refused a node'
    ])
    for (const { client } of [nodeA, nodeB]) expect((await client.photo(list[0] ?? '')).status).toBe(200)
    expect((await nodeA.client.json<{ members: Json[] }>('GET', '/cluster', 200)).members).toHaveLength(members.length)
  })
})
