import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { HttpClient } from '../support/http-client.js'
import { killAllNodes, NodeProcess, sheaf, temporaryFolder } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { until } from '../support/until.js'

interface Member {
  readonly state: string
}

let folder: ReturnType<typeof temporaryFolder>

beforeEach(() => {
  folder = temporaryFolder('keys')
})
afterEach(async () => {
  await killAllNodes()
  folder.remove()
})

const keyFile = (name: string): string => join(folder.path, `${name}.key`)

async function aliveAt(node: NodeProcess): Promise<number> {
  const { members } = await new HttpClient(node.url).json<{ members: Member[] }>('GET', '/cluster', 200)
  return members.filter(({ state }) => state === 'alive').length
}

it('drill: the cluster key is replaced node by node, and then the old one opens nothing', async () => {
  const [old = '', fresh = ''] = await Promise.all(
    ['old', 'new'].map(async () => (await sheaf(['keygen'])).stdout.toString().trim())
  )
  const start = (name: string, others: readonly NodeProcess[]): Promise<NodeProcess> =>
    NodeProcess.start({
      dataDir: join(folder.path, name),
      flags: ['--cluster-key', keyFile(name), ...(others.length > 0 ? ['--join', others.map(n => n.p2p).join()] : [])]
    })
  const names = ['a', 'b', 'c']
  const nodes: NodeProcess[] = []
  for (const name of names) {
    writeFileSync(keyFile(name), `${old}\n`)
    nodes.push(await start(name, nodes))
  }
  const areTogether = async (): Promise<boolean> => (await Promise.all(nodes.map(aliveAt))).every(n => n === 3)
  await until('all see all', 90_000, areTogether)

  const ids: string[] = []
  for (const lines of [[fresh, old], [fresh]]) {
    for (const [i, name] of names.entries()) {
      writeFileSync(keyFile(name), `${lines.join('\n')}\n`)
      await nodes[i]?.stop()
      const others = nodes.filter((_, other) => other !== i)
      nodes[i] = await start(name, others)
      await until(`all see all after ${name} has ${lines.length} keys`, 90_000, areTogether)
      const receipt = await new HttpClient(nodes[i].url).putPhoto(fakeJpeg(ids.length, 10_000), `${name}.jpg`)
      ids.push(receipt.photo_id)
    }
  }
  for (const node of nodes) {
    const client = new HttpClient(node.url)
    await until('it has all photos', 90_000, async () => (await client.page()).total === ids.length)
    for (const id of ids) expect((await client.photo(id)).status).toBe(200)
  }

  writeFileSync(keyFile('stranger'), `${old}\n`)
  const stranger = await start('stranger', nodes)
  await until('it is refused', 90_000, async () => stranger.log().some(({ msg }) => msg === 'refused a node'))
  expect(await aliveAt(stranger)).toBe(1)
  expect((await new HttpClient(stranger.url).page()).total).toBe(0)
}, 120_000)
