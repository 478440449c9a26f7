import type { Cluster } from '../../src/cluster/cluster.js'
import { SheafError } from '../../src/core/errors.js'
import type { NodeId, PhotoId } from '../../src/domain/ids.js'
import { NEEDLE_HEADER_BYTES } from '../../src/domain/needle.js'
import { PHOTO_KIND } from '../../src/domain/photo.js'
import { encodeRecord } from '../../src/domain/record-codec.js'
import type { NodeServices } from '../../src/node-services.js'
import type { ImageAnalyzer } from '../../src/similarity/images/image-analyzer.js'
import { dataIdentity } from '../../src/store/photo-needles.js'
import type { NeedleLocation } from '../../src/volumes/needle-store.js'
import type { Volume } from '../../src/volumes/volume.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedClock, settle } from './simulated-clock.js'
import { SimulatedNetwork } from './simulated-network.js'
import { originOf, SimulatedNode } from './simulated-node.js'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
/** How long a delete may be undone, unless a test says otherwise. */
export const UNDO_MS = 30 * DAY_MS
/** From a delete to its burial by the first or second in turn, which both wait for a day more. */
const BURIED_MS = 1.25 * UNDO_MS + 2 * DAY_MS
/** Until nodes that can reach each other must be identical, ms. */
const CONVERGED_MS_MAX = 60_000
const STEP_MS = 200
/** Longer than any pause between two looks for something to compact. */
const UPKEEP_MS = 15 * 60_000

/** What a client gets of a photo: its bytes as text, or the code of the error. */
export type Shown = string

export interface LabMember {
  readonly id: NodeId
  readonly node: SimulatedNode
  readonly services: NodeServices
  readonly cluster: Cluster
}

export interface ClusterLabInit {
  /** By the member's number; default: {@link UNDO_MS} for all. */
  readonly purgeMs?: (i: number) => number
  readonly volumeBytes?: number
  /** What looks at photos; default: nothing does. */
  readonly analyzer?: () => ImageAnalyzer
  /** For how long a writer is away before others compact its volumes; default: as in use. */
  readonly absentMs?: number
}

/** Whole nodes on simulated disks, network and time, for histories that are told step by step. */
export class ClusterLab {
  readonly clock = new SimulatedClock()
  readonly network = new SimulatedNetwork({ clock: this.clock, random: new SeededRandom(1) })
  readonly members: LabMember[] = []
  readonly #init: ClusterLabInit

  constructor(init: ClusterLabInit = {}) {
    this.#init = init
  }

  /** @returns a cluster of so many nodes, for one test, called `a`, `b`, …: each has compared itself with another */
  static async of(count: number, init: ClusterLabInit = {}): Promise<ClusterLab> {
    const lab = new ClusterLab(init)
    for (let i = 0; i < count; i++) await lab.start(lab.add())
    const isSettled = (): boolean =>
      lab.members.every(({ services }) => count === 1 || services.local.age.roundAt !== undefined)
    while (!isSettled()) await lab.pass(1_000)
    await lab.converge()
    return lab
  }

  /** @returns a node that does not run yet; what it hears of first is the first node */
  add(init: Pick<ClusterLabInit, 'purgeMs'> = this.#init): LabMember {
    const i = this.members.length
    const id = String.fromCharCode('a'.charCodeAt(0) + i) as NodeId
    const { volumeBytes, absentMs, analyzer } = this.#init
    const pauses = absentMs === undefined ? {} : { pauses: { absentMs } }
    const node = new SimulatedNode({
      seed: i + 1,
      clock: this.clock,
      purgeMs: init.purgeMs?.(i) ?? UNDO_MS,
      origin: originOf(id),
      member: { network: this.network, id, join: ['a' as NodeId, id], ...pauses },
      ...(volumeBytes !== undefined && { volumeBytes }),
      ...(analyzer !== undefined && { analyzer })
    })
    const member = {
      id,
      node,
      get services() {
        return node.services
      },
      get cluster() {
        return node.services.cluster as Cluster
      }
    }
    this.members.push(member)
    return member
  }

  async end(): Promise<void> {
    for (const { node } of this.members) if (node.running) await this.until(node.stop())
  }

  // --- time and links ---

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += STEP_MS) {
      await settle()
      await this.clock.advance(STEP_MS)
    }
  }

  /** Lets days go by in which nobody does anything: of each month only a few seconds are simulated. */
  async leap(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= UNDO_MS) {
      await this.clock.leap(Math.min(left, UNDO_MS))
      await this.pass(5_000)
    }
  }

  async until<Result>(task: Promise<Result>): Promise<Result> {
    let done = false
    const end = (): void => {
      done = true
    }
    task.then(end, end)
    for (let turn = 0; !done; turn++) {
      await settle()
      if (turn > 20) await this.clock.advance(1)
    }
    return task
  }

  /** Cuts the links between these and all others. */
  cutOff(...members: readonly LabMember[]): void {
    const others = this.members.filter(member => !members.includes(member))
    this.network.links.partition(
      members.map(({ id }) => id),
      others.map(({ id }) => id)
    )
  }

  /** Mends all links, and waits until all that run are identical. */
  async reunite(): Promise<void> {
    this.network.links.heal()
    await this.pass(10_000)
    await this.converge()
  }

  /** Lets a node find another by its address. */
  async introduce(member: LabMember, other: LabMember): Promise<void> {
    await this.until(
      member.node.transport?.dial(this.network.addressOf(other.id), new AbortController().signal) ?? missing()
    )
  }

  async start(member: LabMember): Promise<void> {
    await this.until(member.node.start())
  }

  async stop(member: LabMember): Promise<void> {
    await this.until(member.node.stop())
  }

  // --- clients ---

  async upload(member: LabMember, text: string): Promise<PhotoId> {
    const [id] = await this.uploadAll(member, [text])
    return id as PhotoId
  }

  /** Uploads at the same time. */
  async uploadAll({ services }: LabMember, texts: readonly string[]): Promise<PhotoId[]> {
    const uploads = texts.map(text => services.photos.upload(bodyOf(text), { filename: text }))
    return (await this.until(Promise.all(uploads))).map(({ photoId }) => photoId)
  }

  async edit({ services }: LabMember, id: PhotoId, caption: string): Promise<void> {
    await this.until(services.photos.patch(id, { caption }))
  }

  async remove({ services }: LabMember, ...ids: readonly PhotoId[]): Promise<void> {
    for (const id of ids) await this.until(services.photos.remove(id))
  }

  async undelete({ services }: LabMember, ...ids: readonly PhotoId[]): Promise<void> {
    for (const id of ids) await this.until(services.photos.undelete(id))
  }

  /** Has a node merge what another one knows of a photo; its bytes do not come with it. */
  async tell({ services }: LabMember, from: LabMember, id: PhotoId): Promise<void> {
    const { stored } = from.services.local.directory.lookUp({ kind: PHOTO_KIND, id })
    if (stored === undefined) throw new Error(`${from.id} does not know ${id}`)
    await this.until(services.local.directory.merge([encodeRecord(stored.record)], from.id))
  }

  async show({ services: { photos } }: LabMember, id: PhotoId): Promise<Shown> {
    const read = async (): Promise<string> => {
      const { head, stream } = await photos.open(id, 'orig')
      let text = ''
      for await (const piece of stream(0, head.size)) text += Buffer.from(piece).toString()
      return text
    }
    return this.until(read()).catch(codeOf)
  }

  /** @returns the code of the error that the task ends with; empty if it succeeds */
  async refusal(task: Promise<unknown>): Promise<string> {
    return this.until(task).then(() => '', codeOf)
  }

  // --- operators ---

  async compact({ node }: LabMember, isNow = false): Promise<void> {
    await node.finish(node.services.maintenance.compact(isNow))
  }

  /** Looks for deletes to bury. @returns how many were */
  sweep({ services }: LabMember): Promise<number> {
    return this.until(services.local.sweep.run(new AbortController().signal))
  }

  async rebuild({ node }: LabMember): Promise<void> {
    await node.finish(node.services.maintenance.rebuildDirectory())
  }

  /** Lets all do their work in the background once: what a retired volume alone holds gets to the others. */
  async upkeep(): Promise<void> {
    await this.converge()
    await this.clock.leap(UPKEEP_MS)
    await this.pass(5_000)
    await this.converge()
  }

  /** Lets the undo period of what is deleted here pass, until nothing but graves is left, and their needles go. */
  async bury(...members: readonly LabMember[]): Promise<void> {
    await this.pass(5_000)
    await this.leap(BURIED_MS)
    for (const member of members) await this.compact(member)
    await this.pass(5_000)
    for (const member of members) await this.compact(member)
    await this.pass(5_000)
  }

  // --- looking ---

  /** Whether the node has heard anything of the photo. */
  knows({ services }: LabMember, id: PhotoId): boolean {
    const { stored, grave } = services.local.directory.lookUp({ kind: PHOTO_KIND, id })
    return stored !== undefined || grave !== undefined
  }

  isBuried({ services }: LabMember, id: PhotoId): boolean {
    return services.local.directory.lookUp({ kind: PHOTO_KIND, id }).grave !== undefined
  }

  /** @returns where needles with the photo's bytes are on the node's disk, of all lives up to this one */
  bytesOf({ services }: LabMember, id: PhotoId, generation = 0): NeedleLocation[] {
    const lives = Array.from({ length: generation + 1 }, (_, life) => life)
    return lives.flatMap(life => services.local.volumes.locate(dataIdentity({ id, generation: life, part: 'orig' }, 0)))
  }

  holdsBytes(member: LabMember, id: PhotoId, generation = 0): boolean {
    return this.bytesOf(member, id, generation).length > 0
  }

  /** Flips a bit of a needle on the node's disk, and lets the node find it. */
  async damage({ node }: LabMember, { volume, offset }: NeedleLocation): Promise<void> {
    const { path } = node.services.local.volumes.get(volume) as Volume
    node.disk.flipBit(path, offset + NEEDLE_HEADER_BYTES, 0)
    await node.finish(node.services.maintenance.scrub())
  }

  laidOut({ services }: LabMember): string[] {
    return services.local.laidOut
      .list()
      .map(({ key }) => key.id)
      .sort()
  }

  digest({ services }: LabMember): string {
    return services.local.directory.digest()
  }

  get running(): readonly LabMember[] {
    return this.members.filter(({ node }) => node.running)
  }

  /** Whether all that run have the same directory. */
  isSame(): boolean {
    return new Set(this.running.map(member => this.digest(member))).size <= 1
  }

  /** Waits until all that run have the same directory and lack nothing of each other's volumes. */
  async converge(msMax = CONVERGED_MS_MAX): Promise<void> {
    const start = this.clock.monotonic()
    while (!this.isSame() || this.running.some(member => lagOf(member) > 0)) {
      if (this.clock.monotonic() - start > msMax) {
        const states = this.running.map(each => `${each.id} ${this.digest(each)} ${lagOf(each)} bytes behind`)
        throw new Error(`not identical after ${msMax} ms: ${states.join('; ')}`)
      }
      await this.pass(STEP_MS)
    }
  }
}

async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

function missing(): never {
  throw new Error('the node does not run')
}

function lagOf({ cluster }: LabMember): number {
  return cluster.replication().repair.backlogBytes
}

function codeOf(err: unknown): string {
  if (err instanceof SheafError) return err.code
  throw err
}
