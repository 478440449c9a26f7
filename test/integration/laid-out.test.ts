import { expect, onTestFinished, test } from 'vitest'
import { ClusterStatus } from '../../src/cluster/cluster-status.js'
import { Events } from '../../src/cluster/events/events.js'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { systemRandom } from '../../src/core/random.js'
import type { AlbumId, NodeId, PhotoId } from '../../src/domain/ids.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import { buildHttpApp } from '../../src/http/app.js'
import { HttpServer } from '../../src/http/wire/server.js'
import { dataIdentity } from '../../src/store/photo-needles.js'
import { HttpClient } from '../support/http-client.js'
import { OPERATOR_TOKEN } from '../support/http-fixture.js'
import { nodePair } from '../support/node-pair.js'
import type { SimulatedNode } from '../support/simulated-node.js'

const PURGE_MS = 30_000
const [A, B] = ['a', 'b'] as [NodeId, NodeId]

async function upload(node: SimulatedNode, name: string): Promise<PhotoId> {
  const body = (async function* () {
    yield Buffer.from(`bytes of ${name}`)
  })()
  return (await node.services.photos.upload(body, { filename: name, tags: [`tag of ${name}`] })).photoId
}

async function read(node: SimulatedNode, id: PhotoId): Promise<string> {
  const content = await node.services.photos.open(id, 'orig')
  const pieces: Uint8Array[] = []
  for await (const piece of content.stream(0, content.head.size)) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

function holdsBytes(node: SimulatedNode, id: PhotoId): boolean {
  return [...node.services.local.volumes.locate(dataIdentity({ id, generation: 0, part: 'orig' }, 0))].length > 0
}

/** @returns a client of the node's HTTP interface */
async function httpOf(node: SimulatedNode): Promise<HttpClient> {
  const { photos, lists, maintenance, laidOut, jobs, batches, adoptions, cluster, local } = node.services
  const init = { nodeId: B, name: 'b', version: '0' }
  const status = new ClusterStatus(
    {
      clock: node.clock,
      space: () => local.space(),
      purgedToMs: () => local.purgedToMs(),
      ...(cluster && { membership: cluster.membership, departures: cluster.departures })
    },
    init
  )
  const app = await buildHttpApp(
    {
      photos,
      lists,
      albums: node.services.albums,
      shares: node.services.shares,
      viewers: node.services.viewers,
      maintenance,
      laidOut,
      cluster: status,
      jobs,
      batches,
      adoptions,
      events: new Events({ directory: local.directory, clock: node.clock, random: systemRandom }),
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      unready: () => undefined
    },
    { ...init, hostName: 'b', operatorToken: OPERATOR_TOKEN, maxUploadBytes: 1_000 }
  )
  const server = new HttpServer(
    { app, clock: systemClock, log: silentLog },
    { listen: [{ host: '127.0.0.1', port: 0 }] }
  )
  await server.start()
  const client = new HttpClient(`http://127.0.0.1:${server.address()?.port}`, { operatorToken: OPERATOR_TOKEN })
  onTestFinished(async () => {
    client.close()
    await server.stop()
  })
  return client
}

test('a grave that ends what lives elsewhere lays it out: it is shown, kept, brought back or let go', async () => {
  const { clock, network, a, b } = await nodePair({ purgeMs: PURGE_MS })
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) await clock.advance(500)
  }
  const compact = async (node: SimulatedNode, isNow = false): Promise<void> => {
    await node.finish(node.services.maintenance.compact(isNow))
  }
  const [back, released] = [await upload(a, 'back'), await upload(a, 'released')]
  const album = (await a.services.albums.create({ title: 'Sommer' })).album?.id as AlbumId
  await pass(5_000)
  await b.stop()
  await b.start() // a node that was empty at its start keeps nothing of what it meets
  await pass(1_000)
  expect(await read(b, back)).toBe('bytes of back')

  // they part; one deletes, and buries a while after the undo period is over
  network.links.partition([A], [B])
  await pass(5_000)
  for (const id of [back, released]) await a.services.photos.remove(id)
  await a.services.albums.remove(album)
  await pass(PURGE_MS * 1.25 + 5_000)
  await compact(a)
  await compact(a)
  expect(a.services.local.directory.lookUp({ kind: PHOTO_KIND, id: back }).grave).toMatchObject({ generation: 0 })
  expect([holdsBytes(a, back), holdsBytes(b, back)]).toEqual([false, true])
  expect(await read(b, back)).toBe('bytes of back')
  expect(a.services.laidOut.counts().counts).toEqual([])

  network.links.heal()
  await pass(5_000)
  const http = await httpOf(b)
  const get = (path: string): Promise<unknown> => http.json('GET', path, 200)
  const post = (path: string, body: object): Promise<unknown> =>
    http.json('POST', path, 200, {
      body: Buffer.from(JSON.stringify(body)),
      headers: { 'content-type': 'application/json' }
    })
  await expect(b.services.photos.open(back, 'orig')).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
  const shown = await get('/v1/admin/laid-out?by=a')
  expect(shown).toMatchObject({ total: 3, alarm: false })
  expect((shown as { laid_out: unknown[] }).laid_out).toContainEqual({
    kind: 'photo',
    photo_id: back,
    generation: 0,
    from: 'a',
    died_at: expect.any(String),
    until: expect.any(String),
    was_deleted: false,
    name: 'back'
  })
  expect(shown).toMatchObject({
    laid_out: expect.arrayContaining([expect.objectContaining({ kind: 'album', photo_id: album, name: 'Sommer' })])
  })
  expect(await get('/cluster')).toMatchObject({
    laid_out: [{ from: 'a', count: 3, until: expect.any(String) }],
    laid_out_alarm: false
  })

  for (const isNow of [false, true]) await compact(b, isNow)
  expect([holdsBytes(b, back), holdsBytes(b, released)]).toEqual([true, true])

  await expect(b.services.albums.get(album)).rejects.toMatchObject({ code: 'ERR_ALBUM_DELETED' })
  await expect(b.services.albums.undelete(album)).rejects.toMatchObject({ code: 'ERR_ALBUM_DELETED' })
  expect(await post('/v1/admin/exhume', { ids: [back, album, back] })).toEqual({
    results: [back, album, back].map(id => ({ photo_id: id, status: 'exhumed' }))
  })
  await pass(5_000)
  for (const node of [a, b]) {
    expect(await read(node, back)).toBe('bytes of back')
    expect((await node.services.photos.meta(back)).photo).toMatchObject({
      name: 'back',
      tags: ['tag of back'],
      generation: 1
    })
    expect((await node.services.albums.get(album)).album).toMatchObject({ title: 'Sommer', generation: 1 })
  }
  expect(b.services.local.directory.digest()).toBe(a.services.local.directory.digest())

  expect(await post('/v1/admin/laid-out/release', {})).toEqual({ released: 1 })
  for (let round = 0; round < 2; round++) {
    await compact(b)
    await pass(1_000)
  }
  expect(holdsBytes(b, released)).toBe(false)
  expect(await post('/v1/admin/exhume', { ids: [released] })).toEqual({
    results: [{ photo_id: released, status: 'failed', code: 'ERR_BYTES_GONE' }]
  })
  expect(await read(b, back)).toBe('bytes of back')
  await Promise.all([a.stop(), b.stop()])
})
