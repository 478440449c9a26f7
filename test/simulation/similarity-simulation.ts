import { hash } from 'node:crypto'
import { SheafError } from '../../src/core/errors.js'
import { modelIdOf } from '../../src/domain/features.js'
import type { NodeId, PhotoId } from '../../src/domain/ids.js'
import { PHOTO_KIND, viewPhoto } from '../../src/domain/photo.js'
import type { SearchResults } from '../../src/search/similarity-types.js'
import { nearest } from '../support/exact-vector-indexes.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock, settle } from '../support/simulated-clock.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import { originOf, SimulatedNode } from '../support/simulated-node.js'
import { VectorAnalyzer, vectorImage } from '../support/vector-analyzer.js'
import { unitVector } from '../support/vector-maker.js'

const DIMENSION = 8
const DIGEST = hash('sha256', 'the simulated model')
const MODEL = { id: modelIdOf(DIGEST), name: 'simulated', spaces: new Map([['image', DIMENSION]] as const) }
const VOLUME_BYTES = 200_000
/** From the end of all faults to indexes that are complete: with the turns of nodes that look at a photo for another, ms. */
const QUIET_MS_MAX = 20 * 60_000
const never = new AbortController().signal

export interface SimilaritySimulationInit {
  readonly seed: number
  readonly nodes: number
  readonly steps: number
}

interface Photo {
  readonly id: PhotoId
  readonly vector: Float32Array
}

/** Some nodes that index photos, while they come and go, lose disks and are cut off: in the end every node finds all that is live. */
export class SimilaritySimulation {
  readonly clock = new SimulatedClock()
  readonly network: SimulatedNetwork
  readonly nodes: readonly SimulatedNode[]
  readonly #init: SimilaritySimulationInit
  readonly #random: SeededRandom
  readonly #photos: Photo[] = []
  readonly #trace: string[] = []
  readonly #underWay = new Set<Promise<void>>()

  constructor(init: SimilaritySimulationInit) {
    this.#init = init
    this.#random = new SeededRandom(init.seed)
    this.network = new SimulatedNetwork({ clock: this.clock, random: this.#random })
    const names = Array.from({ length: init.nodes }, (_, i) => `n${i}` as NodeId)
    this.nodes = names.map(
      (id, i) =>
        new SimulatedNode({
          seed: init.seed * 16 + i,
          clock: this.clock,
          volumeBytes: VOLUME_BYTES,
          origin: originOf(id),
          member: { network: this.network, id, join: names },
          analyzer: () => new VectorAnalyzer(DIGEST, { doesBacklog: true })
        })
    )
  }

  /** @throws when an invariant did not hold, with what happened before */
  async run(): Promise<void> {
    for (const node of this.nodes) await this.#start(node)
    await this.#pass(5_000)
    for (let step = 0; step < this.#init.steps; step++) await this.#step()
    this.#note('everything heals')
    this.network.links.heal()
    for (const node of this.nodes) if (!node.running) await this.#start(node)
    await this.#until(Promise.all(this.#underWay))
    await this.#quiet()
    for (const node of this.nodes) await this.#until(node.stop())
    for (const defect of this.network.defects) this.#fail(`a handler threw ${String(defect)}`)
  }

  async #step(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 40) this.#upload()
    else if (choice < 50) this.#change('remove')
    else if (choice < 54) this.#change('undelete')
    else if (choice < 64) this.#search()
    else if (choice < 70) this.#cut()
    else if (choice < 76) this.network.links.heal()
    else if (choice < 82) this.#end()
    else if (choice < 90) await this.#restart()
    await this.#pass(this.#random.pick([10, 300, 3_000, 3_000, 15_000]))
  }

  #upload(): void {
    const vector = unitVector(this.#random, DIMENSION)
    const bytes = vectorImage(vector)
    const body = async function* () {
      yield bytes
    }
    this.#ask('upload', async ({ services }) => {
      const { photoId } = await services.photos.upload(body(), { contentType: 'image/jpeg', minCopies: 2 })
      this.#photos.push({ id: photoId, vector: Float32Array.from(JSON.parse(Buffer.from(bytes).toString()).vector) })
    })
  }

  #change(what: 'remove' | 'undelete'): void {
    if (this.#photos.length === 0) return
    const { id } = this.#random.pick(this.#photos)
    this.#ask(`${what} ${id}`, ({ services }) => services.photos[what](id))
  }

  #search(): void {
    const query = unitVector(this.#random, DIMENSION)
    this.#ask('search', async node => {
      const found = await byImage(node, query)
      for (const { photoId } of found.results) {
        const stored = node.services.local.directory.getSync({ kind: PHOTO_KIND, id: photoId })
        // deleted since the search filtered: both in this turn of the loop
        if (stored !== undefined && viewPhoto(stored.record).deleted) this.#fail(`${photoId} was found and is deleted`)
      }
      if (found.coverage.fraction < 0 || found.coverage.fraction > 1) this.#fail('coverage is no share')
    })
  }

  /** Begins something on a running node; what the node refuses or loses is its own business. */
  #ask(what: string, task: (node: SimulatedNode) => Promise<unknown>): void {
    const running = this.nodes.filter(node => node.running)
    if (running.length === 0) return
    const node = this.#random.pick(running)
    this.#note(`${this.nodes.indexOf(node)}: ${what}`)
    const work = task(node).then(
      () => {},
      err => {
        if (!(err instanceof SheafError) && node.running) throw err
      }
    )
    // what a process that died was asked never ends
    const abandoned = this.clock.sleep(60_000)
    const done = Promise.race([work, abandoned]).finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
  }

  #cut(): void {
    const ids = this.nodes.map((_, i) => `n${i}` as NodeId)
    const left = ids.filter(() => this.#random.chance(0.5))
    this.#note(`cut: ${left} | rest`)
    this.network.links.partition(
      left,
      ids.filter(id => !left.includes(id))
    )
  }

  #end(): void {
    const running = this.nodes.filter(node => node.running)
    if (running.length < 2) return
    const node = this.#random.pick(running)
    const how = this.#random.pick(['kill', 'crash'] as const)
    this.#note(`${this.nodes.indexOf(node)} ends: ${how}`)
    node.die(how)
    // with two copies of everything one disk may go, while all others are there
    const others = this.nodes.filter(other => other !== node)
    if (this.#random.chance(0.3) && others.every(other => other.running) && this.#underWay.size === 0) {
      this.#note('its disk is lost')
      node.wipe()
    }
  }

  async #restart(): Promise<void> {
    const down = this.nodes.filter(node => !node.running)
    if (down.length > 0) await this.#start(this.#random.pick(down))
  }

  async #start(node: SimulatedNode): Promise<void> {
    this.#note(`${this.nodes.indexOf(node)} starts`)
    await this.#until(node.start())
    await this.#until(node.services.similarity?.models.use(MODEL) ?? Promise.resolve())
  }

  // --- judging ---

  async #quiet(): Promise<void> {
    let trouble: string | undefined
    for (let ms = 0; ms < QUIET_MS_MAX; ms += 5_000) {
      trouble = await this.#trouble()
      if (trouble === undefined) return
      await this.#pass(5_000)
    }
    this.#fail(`not complete after all: ${trouble}`)
  }

  /** @returns what is not as it should be once all is quiet */
  async #trouble(): Promise<string | undefined> {
    const [first] = this.nodes as [SimulatedNode]
    const query = unitVector(this.#random, DIMENSION)
    for (const [i, node] of this.nodes.entries()) {
      const { similarity } = node.services
      const { directory } = node.services.local
      if (directory.digest() !== first.services.local.directory.digest()) return `${i} has another directory`
      const status = similarity?.status()
      if (status?.pending !== 0) return `${i} waits for ${status?.pending} photos`
      const live: Photo[] = []
      for await (const record of directory.records(PHOTO_KIND)) {
        if (viewPhoto(record).deleted) continue
        const photo = this.#photos.find(({ id }) => id === record.id)
        if (photo !== undefined) live.push(photo)
      }
      let found: SearchResults | undefined
      const search = byImage(node, query).then(results => {
        found = results
      })
      await this.#until(search)
      if (found?.coverage.fraction !== 1) return `${i} covers ${found?.coverage.fraction}`
      const ids = found.results.map(({ photoId }) => photoId)
      const known = ids.filter(id => this.#photos.some(photo => photo.id === id))
      const wanted = nearest(
        live.map(({ id, vector }) => ({ id, vectors: new Map([['image', vector]] as const) })),
        query,
        1_000
      ).map(({ id }) => id)
      if (String(known) !== String(wanted)) return `${i} finds ${known.length} photos where ${wanted.length} are live`
    }
    return undefined
  }

  async #until(work: Promise<unknown>): Promise<void> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    work.then(done, done)
    for (let waited = 0; !settled; waited += 10) {
      if (waited > 120_000) this.#fail('something does not end')
      await this.#pass(10)
    }
    await work
  }

  async #pass(ms: number): Promise<void> {
    for (let turns = 0; turns < 10; turns++) await settle()
    for (let passed = 0; passed < ms; passed += 500) await this.clock.advance(Math.min(500, ms - passed))
  }

  #note(text: string): void {
    this.#trace.push(`${this.clock.monotonic().toFixed(0)} ${text}`)
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.#init.seed}: ${what}\n${this.#trace.slice(-60).join('\n')}`)
  }
}

async function byImage(node: SimulatedNode, query: Float32Array): Promise<SearchResults> {
  const { similarity } = node.services
  if (similarity === undefined) throw new SheafError('ERR_MODEL_UNAVAILABLE')
  const body = async function* () {
    yield vectorImage(query)
  }
  return similarity.search.byImage(body(), () => ({ k: 1_000 }), never)
}
