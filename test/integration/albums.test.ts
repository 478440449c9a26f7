import { describe, expect, it } from 'vitest'
import type { AlbumId, PhotoId } from '../../src/domain/ids.js'
import { nodePair } from '../support/node-pair.js'
import { SimulatedNode } from '../support/simulated-node.js'

async function upload({ services }: SimulatedNode, albums: readonly string[] = []): Promise<PhotoId> {
  const body = (async function* () {
    yield Buffer.from(`photo ${albums}`)
  })()
  return (await services.photos.upload(body, { albums })).photoId
}

async function make({ services }: SimulatedNode, title: string): Promise<AlbumId> {
  const { album } = await services.albums.create({ title })
  return album?.id as AlbumId
}

const titles = async ({ services }: SimulatedNode): Promise<string[]> =>
  (await services.albums.list({ limit: 10 })).albums.map(({ name, count }) => `${name} ${count}`)

const faults = async (node: SimulatedNode): Promise<unknown> =>
  (await node.finish<{ faults: unknown[] }>(node.services.maintenance.verify())).faults

describe('albums', () => {
  it('survive a stop, a kill, a loss of power and the loss of the directory, as deletes of them do', async () => {
    const node = new SimulatedNode({ volumeBytes: 400_000 })
    await node.start()
    const [kept, gone] = [await make(node, 'Meer'), await make(node, 'gone')]
    const [photo, other] = [await upload(node, ['meer', 'gone', 'label']), await upload(node, ['label'])]
    await node.services.albums.edit(kept, { title: 'See', cover: other })
    await node.services.albums.remove(gone)
    const digest = node.services.local.directory.digest()
    for (const end of ['stop', 'kill', 'crash', 'lost'] as const) {
      if (end === 'stop') await node.stop()
      else node.die(end === 'lost' ? 'kill' : end)
      if (end === 'lost') node.loseDirectory()
      await node.start()
      expect(node.services.local.directory.digest(), end).toBe(digest)
      expect(await titles(node), end).toEqual(['label 2', 'See 1'])
      const { albums } = await node.services.photos.meta(photo)
      expect(albums, end).toEqual({ titles: ['See', 'label'], ids: [kept] })
      expect((await node.services.albums.get(kept)).cover).toBe(photo) // the chosen one is not in it
      expect(await faults(node)).toEqual([])
    }
    await node.finish(node.services.maintenance.rebuildDirectory())
    expect(await titles(node)).toEqual(['label 2', 'See 1'])
    await node.stop()
  })

  it('are on the other node with their photos, and so are renames and deletes', async () => {
    const { clock, a, b } = await nodePair()
    const meer = await make(a, 'Meer')
    const photo = await upload(a, ['Meer', 'Wald'])
    await clock.advance(2_000)
    expect(await titles(b)).toEqual(['Meer 1', 'Wald 1'])
    await b.services.albums.edit(meer, { title: 'See' })
    const real = await b.services.albums.makeReal('Wald')
    const same = await a.services.albums.makeReal('wald') // at the same time
    expect(same.album.album?.id).toBe(real.album.album?.id)
    await clock.advance(2_000)
    for (const node of [a, b]) {
      expect(await titles(node)).toEqual(['See 1', expect.stringMatching(/^wald 1$/i)])
      expect((await node.services.photos.meta(photo)).albums.ids).toHaveLength(2)
    }
    expect(await titles(a)).toEqual(await titles(b))
    await a.services.albums.remove(meer)
    await clock.advance(2_000)
    for (const node of [a, b]) {
      expect(await titles(node)).toHaveLength(1)
      expect((await node.services.photos.meta(photo)).albums.ids).toEqual([real.album.album?.id])
      expect(await faults(node)).toEqual([])
    }
    expect(a.services.local.directory.digest()).toBe(b.services.local.directory.digest())
    await Promise.all([a.stop(), b.stop()])
  })
})
