import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allSee, differencesOf } from '../../chaos/drivers/cluster-node.js'
import { LabNode } from '../../chaos/drivers/lab-node.js'
import { NetworkLab } from '../../chaos/drivers/network-lab.js'
import { killAllNodes, temporaryFolder } from '../support/node-process.js'
import { announceSeed } from '../support/photo-maker.js'
import { SeededRandom } from '../support/seeded-random.js'
import { until } from '../support/until.js'

const HOSTS = 5
const PHOTO_BYTES_MAX = 300_000
/** From the end of all faults to nodes that agree. */
const CONVERGENCE_MS_MAX = 30_000

const obstacle = NetworkLab.obstacle()
if (obstacle !== undefined) process.stderr.write(`\n  SKIPPED: five nodes on hosts of their own: ${obstacle}\n\n`)

/** What a client was told of a photo. */
interface Known {
  readonly sha256: string
  deleted: boolean
}

describe.skipIf(obstacle !== undefined)('five nodes on hosts of their own', () => {
  const lab = new NetworkLab('shfve', HOSTS)
  const folder = temporaryFolder('cluster')
  const photos = new Map<string, Known>()
  let random: SeededRandom
  let nodes: LabNode[] = []

  beforeAll(async () => {
    random = new SeededRandom(announceSeed('cluster'))
    lab.up()
    const skews = LabNode.canSkew() ? [0, 3_600, -3_600, 0, 0] : []
    if (skews.length === 0) process.stderr.write('  libfaketime is not here: all clocks are right\n')
    nodes = Array.from({ length: HOSTS }, (_, i) => {
      return new LabNode({ lab, host: i + 1, hosts: HOSTS, folder: folder.path, skewSeconds: skews[i] ?? 0 })
    })
    await Promise.all(nodes.map(node => node.start()))
    await until('all see all', 90_000, () => allSee(nodes))
  })

  afterAll(async () => {
    await killAllNodes()
    lab.down()
    folder.remove()
  })

  const [n1, n2, n3, n4, n5] = [0, 1, 2, 3, 4].map(i => () => nodes[i] as LabNode) as [
    () => LabNode,
    () => LabNode,
    () => LabNode,
    () => LabNode,
    () => LabNode
  ]

  /** @returns the photo's id */
  async function upload(node: LabNode): Promise<string> {
    const bytes = random.bytes(1 + random.below(PHOTO_BYTES_MAX))
    const { photo_id: id } = await node.client.putPhoto(bytes, `${node.name}.bin`, 'application/octet-stream')
    photos.set(id, { sha256: createHash('sha256').update(bytes).digest('hex'), deleted: false })
    return id
  }

  async function remove(node: LabNode, id: string): Promise<void> {
    expect((await node.client.remove(id)).status).toBe(200)
    const photo = photos.get(id)
    if (photo !== undefined) photo.deleted = true
  }

  async function rename(node: LabNode, id: string, name: string): Promise<void> {
    expect((await node.client.patchMeta(id, { name })).status).toBe(200)
  }

  async function expectIdentical(): Promise<void> {
    const start = performance.now()
    await until('all see all', 90_000, () => allSee(nodes))
    await until('all directories and volumes agree', CONVERGENCE_MS_MAX, async () => {
      return (await differencesOf(nodes)).length === 0
    })
    process.stderr.write(`  identical ${((performance.now() - start) / 1000).toFixed(1)} s after healing\n`)
    for (const node of nodes) {
      for (const [id, { sha256, deleted }] of photos) {
        const answer = await node.client.photo(id)
        const what = `${id} at ${node.name}`
        expect(answer.status, what).toBe(deleted ? 410 : 200)
        if (deleted) continue
        expect(createHash('sha256').update(answer.body).digest('hex'), what).toBe(sha256)
        expect(answer.headers['x-sheaf-source'], what).toBe('local')
      }
      const live = [...photos].filter(([, { deleted }]) => !deleted).map(([id]) => id)
      expect((await node.client.list()).photos.map(({ photo_id: id }) => id).sort()).toEqual(live.sort())
    }
  }

  test('share what each takes in', { timeout: 120_000 }, async () => {
    for (const node of nodes) for (let i = 0; i < 3; i++) await upload(node)
    const [first] = photos.keys() as Iterable<string> as Iterable<string> & Iterator<string>
    await remove(n3(), first as string)
    await expectIdentical()
  })

  test('go on in two halves, and agree when they meet again', { timeout: 180_000 }, async () => {
    const renamed = await upload(n1())
    const contested = await upload(n1())
    await until('both are everywhere', 90_000, async () => {
      const answers = await Promise.all(nodes.flatMap(node => [renamed, contested].map(id => node.client.meta(id))))
      return answers.every(({ status }) => status === 200)
    })
    await lab.partition([1, 2], [3, 4, 5])
    await until('each side misses the other', 90_000, async () => {
      return (await n1().aliveCount()) === 2 && (await n4().aliveCount()) === 3
    })
    for (const node of nodes) await upload(node)
    await rename(n1(), renamed, 'by the smaller half')
    await rename(n4(), renamed, 'by the greater half')
    await rename(n4(), contested, 'too late')
    await remove(n2(), contested)
    await lab.heal()
    await expectIdentical()
    for (const node of nodes) {
      const { conflicts } = await node.client.json<{ conflicts: { name: string }[] }>(
        'GET',
        `/photo/${renamed}/conflicts`,
        200
      )
      const { name } = await node.client.json<{ name: string }>('GET', `/photo/${renamed}/meta`, 200)
      expect([name, ...conflicts.map(conflict => conflict.name)].sort()).toEqual([
        'by the greater half',
        'by the smaller half'
      ])
    }
  })

  test('outlive a cut in one direction, a kill and a pause', { timeout: 180_000 }, async () => {
    await lab.oneWay(5, [1, 2])
    await upload(n5())
    await upload(n1())
    await n4().kill()
    n3().process.pause()
    for (const node of [n1(), n2(), n5()]) await upload(node)
    await until('they are missed', 90_000, async () => (await n2().aliveCount()) <= 3)
    await upload(n2())
    n3().process.continue()
    await n4().start()
    await lab.heal()
    await expectIdentical()
  })

  test('fill an empty disk again', { timeout: 180_000 }, async () => {
    const before = (await n5().members()).find(({ self }) => self)?.id
    await n5().kill()
    n5().wipe()
    await upload(n1())
    await n5().start()
    await until('the others see it again', 90_000, () => allSee(nodes))
    expect((await n5().members()).find(({ self }) => self)?.id).not.toBe(before)
    await expectIdentical()
    for (const node of nodes) expect(await node.process.stop()).toBe(0)
  })
})
