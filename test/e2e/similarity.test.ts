import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COLOURS, type Colour, colourPicture } from '../support/colour-pictures.js'
import { addColoursModel, COLOURS_MODEL } from '../support/colours-model-folder.js'
import { HttpClient } from '../support/http-client.js'
import { killAllNodes, NodeProcess, sheaf, temporaryFolder } from '../support/node-process.js'
import { SeededRandom } from '../support/seeded-random.js'
import { until } from '../support/until.js'

/** Of each colour, over all nodes. */
const PICTURES = 12
const NODES = 3
/** Until searches see what has happened: with the time that it takes to notice that a node is gone. */
const SETTLED_MS_MAX = 90_000

interface Found {
  readonly results: readonly { readonly photo_id: string; readonly score: number }[]
  readonly coverage: { readonly shards_ok: number; readonly shards_total: number; readonly fraction: number }
  readonly model: string
}

const folder = temporaryFolder('similarity')
const models = join(folder.path, 'models')

/** A real node with a model of four numbers that knows colours; its processes live one after the other. */
class ColourNode {
  readonly name: string
  client = new HttpClient('http://127.0.0.1:1')
  #process: NodeProcess | undefined

  constructor(number: number) {
    this.name = `n${number}`
  }

  get process(): NodeProcess {
    if (this.#process === undefined) throw new Error(`${this.name} does not run`)
    return this.#process
  }

  async start(...others: readonly ColourNode[]): Promise<void> {
    const known = others.flatMap(({ process }) => ['--join', process.p2p])
    const flags = ['--model', COLOURS_MODEL, '--models', models, '--name', this.name, ...known]
    this.#process = await NodeProcess.start({ dataDir: this.#data, flags })
    this.client = new HttpClient(this.#process.url)
  }

  async kill(): Promise<void> {
    this.client.close()
    await this.process.kill9()
  }

  wipe(): void {
    rmSync(this.#data, { recursive: true })
  }

  search(words: string, k: number): Promise<Found> {
    return this.client.json<Found>('GET', `/search?q=${words}&k=${k}`, 200)
  }

  /** @returns undefined while the node has no model: it serves before that is loaded */
  async trySearch(words: string): Promise<Found | undefined> {
    const answer = await this.client.request('GET', `/search?q=${words}&k=1000`)
    return answer.status === 503 ? undefined : (JSON.parse(answer.body.toString()) as Found)
  }

  get #data(): string {
    return join(folder.path, this.name)
  }
}

describe.sequential('three nodes that look at photos', () => {
  const random = new SeededRandom(1)
  const nodes = Array.from({ length: NODES }, (_, i) => new ColourNode(i + 1))
  const [n1, n2, n3] = nodes as [ColourNode, ColourNode, ColourNode]
  const live = new Map<string, Colour>()

  beforeAll(async () => {
    await addColoursModel(folder.path)
    await n1.start()
    await n2.start(n1)
    await n3.start(n1, n2)
  })

  afterAll(async () => {
    for (const node of nodes) node.client.close()
    await killAllNodes()
    folder.remove()
  })

  async function upload(node: ColourNode, colour: Colour): Promise<string> {
    const { photo_id: id } = await node.client.putPhoto(
      await colourPicture(random, colour),
      `${colour}.png`,
      'image/png'
    )
    live.set(id, colour)
    return id
  }

  /** Every one of these nodes finds exactly what is live, having asked for all of it. */
  async function findsAll(those: readonly ColourNode[]): Promise<boolean> {
    const wanted = [...live.keys()].sort().join()
    const answers = await Promise.all(those.map(node => node.trySearch('photo')))
    return answers.every(answer => {
      const found = answer?.results.map(({ photo_id }) => photo_id)
      return answer?.coverage.fraction === 1 && found?.sort().join() === wanted
    })
  }

  /** @returns how many of the first k results have the colour */
  async function right(node: ColourNode, colour: Colour): Promise<number> {
    const k = [...live.values()].filter(other => other === colour).length
    const { results } = await node.search(colour, k)
    return results.filter(({ photo_id }) => live.get(photo_id) === colour).length / k
  }

  it('find on every node what was put through any', async () => {
    const uploads = COLOURS.flatMap(colour => Array.from({ length: PICTURES }, () => colour))
    await Promise.all(uploads.map((colour, i) => upload(nodes[i % NODES] as ColourNode, colour)))
    await until('all is found', SETTLED_MS_MAX, () => findsAll(nodes))
    for (const node of nodes) for (const colour of COLOURS) expect(await right(node, colour)).toBe(1)
  })

  it('answer what is like a photo, and like a file, with sizes of each', async () => {
    const [id, colour] = [...live][0] as [string, Colour]
    for (const node of nodes) {
      const { results } = await node.client.json<{ results: { photo_id: string }[] }>('GET', `/similar/${id}?k=5`, 200)
      expect(results.map(({ photo_id }) => live.get(photo_id))).toEqual(Array.from({ length: 5 }, () => colour))
      const thumb = await node.client.photo(id, {}, '?alt_key=thumb')
      expect((await sharp(thumb.body).metadata()).width).toBeLessThanOrEqual(256)
    }
    const path = join(folder.path, 'question.png')
    writeFileSync(path, await colourPicture(random, 'green'))
    const { code, stdout } = await sheaf(['similar', path, '-k', '3', '--json'], n2.process.url)
    expect(code).toBe(0)
    const { similar_photo_ids: found }: { similar_photo_ids: string[] } = JSON.parse(stdout.toString())
    expect(found.map(id => live.get(id))).toEqual(['green', 'green', 'green'])
  })

  it('never answer with what was deleted', async () => {
    const doomed = [...live.keys()].filter((_, i) => i % 4 === 0)
    for (const [i, id] of doomed.entries()) {
      const node = nodes[i % NODES] as ColourNode
      await node.client.remove(id)
      live.delete(id)
      const { results } = await node.search('photo', 1_000)
      expect(results.map(({ photo_id }) => photo_id)).not.toContain(id)
    }
    await until('all is found', SETTLED_MS_MAX, () => findsAll(nodes))
  })

  it('answer the same with one killed, take new photos, and have it back', async () => {
    await n3.kill()
    await until('the other two find all', SETTLED_MS_MAX, () => findsAll([n1, n2]))
    for (const colour of COLOURS) await upload(n1, colour)
    await until('the other two find the new ones', SETTLED_MS_MAX, () => findsAll([n1, n2]))
    await n3.start(n1, n2)
    await until('all find all', SETTLED_MS_MAX, () => findsAll(nodes))
  })

  it('fill the index of an empty disk again', async () => {
    await n2.kill()
    n2.wipe()
    await n2.start(n1, n3)
    await until('all find all', SETTLED_MS_MAX, () => findsAll(nodes))
    for (const colour of COLOURS) expect(await right(n2, colour)).toBe(1)
  })
})
