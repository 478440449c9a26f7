import { describe, expect, it } from 'vitest'
import type { AlbumId, NodeId, PhotoId } from '../../src/domain/ids.js'
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

  it('that were edited on two sides of a partition keep both edits, and come back after a delete', async () => {
    const { clock, network, a, b } = await nodePair()
    const meer = await make(a, 'Meer')
    const photo = await upload(a, ['Meer'])
    await clock.advance(2_000)
    network.links.partition(['a' as NodeId], ['b' as NodeId])
    await a.services.albums.edit(meer, { title: 'See', caption: 'with a caption' })
    await clock.advance(1_000)
    await b.services.albums.edit(meer, { title: 'Ozean' })
    network.links.heal()
    await clock.advance(20_000)
    for (const node of [a, b]) {
      const { album } = await node.services.albums.get(meer)
      expect(album).toMatchObject({ title: 'Ozean', caption: undefined, conflicts: 1 })
      expect(await node.services.albums.conflicts(meer)).toMatchObject([{ title: 'See', caption: 'with a caption' }])
    }
    await expect(a.services.albums.restore(meer, 2)).rejects.toMatchObject({ code: 'ERR_NO_SUCH_CONFLICT' })
    const restored = await a.services.albums.restore(meer, 1)
    expect(restored.album).toMatchObject({ title: 'See', caption: 'with a caption', conflicts: 1 })
    await clock.advance(2_000)
    expect(await b.services.albums.conflicts(meer)).toMatchObject([{ title: 'Ozean' }])
    await b.services.albums.remove(meer)
    await clock.advance(2_000)
    expect(await titles(a)).toEqual([])
    const { createdAtMs } = restored.album ?? {}
    expect((await a.services.albums.undelete(meer)).album).toMatchObject({ title: 'See', createdAtMs })
    expect((await a.services.albums.undelete(meer)).count).toBe(1) // harmless
    await clock.advance(2_000)
    expect(await titles(b)).toEqual(['See 1'])
    expect((await b.services.photos.meta(photo)).albums.ids).toEqual([meer])
    await Promise.all([a.stop(), b.stop()])
  })
})
