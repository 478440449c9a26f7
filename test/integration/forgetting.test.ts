import { describe, expect, onTestFinished, test } from 'vitest'
import type { Cluster } from '../../src/cluster/cluster.js'
import { HLC_MAX } from '../../src/domain/hlc.js'
import type { NodeId, PhotoId } from '../../src/domain/ids.js'
import { PHOTO_KIND, viewPhoto } from '../../src/domain/photo.js'
import type { DirectoryRecord } from '../../src/domain/record.js'
import { SeededRandom } from '../support/seeded-random.js'
import { SimulatedClock, settle } from '../support/simulated-clock.js'
import { SimulatedNetwork } from '../support/simulated-network.js'
import { originOf, SimulatedNode } from '../support/simulated-node.js'

const PURGE_MS = 1_000
const PAUSES = { roundMs: 200, absentMs: 20_000 }

class Lab {
  readonly clock = new SimulatedClock()
  readonly network = new SimulatedNetwork({ clock: this.clock, random: new SeededRandom(1) })
  readonly nodes: readonly SimulatedNode[]
  readonly ids: readonly NodeId[]

  constructor(count: number) {
    this.ids = Array.from({ length: count }, (_, i) => `n${i}` as NodeId)
    this.nodes = this.ids.map((id, i) => {
      const member = { network: this.network, id, join: this.ids, pauses: PAUSES }
      const seed = i + 1
      return new SimulatedNode({ seed, clock: this.clock, purgeMs: PURGE_MS, origin: originOf(id), member })
    })
    onTestFinished(async () => {
      for (const node of this.nodes) if (node.running) await this.until(node.stop())
    })
  }

  static async of(count: number): Promise<Lab> {
    const lab = new Lab(count)
    for (const node of lab.nodes) await lab.until(node.start())
    await lab.pass(5_000)
    return lab
  }

  node(i: number): SimulatedNode {
    return this.nodes[i] as SimulatedNode
  }

  cluster(i: number): Cluster {
    return this.node(i).services.cluster as Cluster
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await settle()
      await this.clock.advance(100)
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

  async upload(i: number, text: string): Promise<PhotoId> {
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(text)
    }
    const { photoId } = await this.until(this.node(i).services.photos.upload(body(), { filename: text }))
    return photoId
  }

  async remove(i: number, id: PhotoId): Promise<void> {
    await this.until(this.node(i).services.photos.remove(id))
  }

  async compact(...which: readonly number[]): Promise<void> {
    for (const i of which) await this.node(i).finish(this.node(i).services.maintenance.compact())
  }

  /** Lets deletes be purged and forgotten. */
  async forget(...which: readonly number[]): Promise<void> {
    for (let round = 0; round < 4; round++) {
      await this.pass(PURGE_MS)
      await this.compact(...which)
    }
    await this.pass(3_000)
  }

  knows(i: number, id: PhotoId): boolean {
    return this.node(i).services.local.directory.getSync({ kind: PHOTO_KIND, id }) !== undefined
  }

  async text(i: number, id: PhotoId): Promise<string> {
    const content = await this.until(this.node(i).services.photos.open(id, 'orig'))
    let text = ''
    const record = this.node(i).services.local.directory.getSync({ kind: PHOTO_KIND, id })?.record as DirectoryRecord
    for await (const piece of content.stream(0, viewPhoto(record).size)) text += Buffer.from(piece).toString()
    return text
  }

  async tombstones(i: number): Promise<number> {
    let count = 0
    for await (const _ of this.node(i).services.local.directory.forgetting.tombstones(HLC_MAX)) count++
    return count
  }

  digests(...which: readonly number[]): number {
    return new Set(which.map(i => this.node(i).services.local.directory.digest())).size
  }

  cutOff(i: number): void {
    this.network.links.partition(
      [this.ids[i] as NodeId],
      this.ids.filter((_, other) => other !== i)
    )
  }
}

describe('a delete', () => {
  test('is forgotten by all, with its needles, and does not come back from the log', async () => {
    const lab = await Lab.of(3)
    const gone = await lab.upload(0, 'gone')
    const kept = await lab.upload(1, 'kept')
    await lab.pass(1_000)
    await lab.until(lab.node(2).services.photos.patch(gone, { name: 'edited elsewhere' }))
    await lab.pass(1_000)
    await lab.remove(1, gone)
    await lab.forget(0, 1, 2)
    expect(await Promise.all([0, 1, 2].map(i => lab.tombstones(i)))).toEqual([0, 0, 0])
    expect([0, 1, 2].map(i => lab.knows(i, gone))).toEqual([false, false, false])
    expect(lab.digests(0, 1, 2)).toBe(1)
    await lab.node(0).finish(lab.node(0).services.maintenance.rebuildDirectory())
    await lab.pass(3_000)
    expect([0, 1, 2].map(i => lab.knows(i, gone))).toEqual([false, false, false])
    expect([await lab.text(0, kept), await lab.text(2, kept)]).toEqual(['kept', 'kept'])
    expect(lab.digests(0, 1, 2)).toBe(1)
  })

  test('waits for a member that is away, and says so', async () => {
    const lab = await Lab.of(3)
    const gone = await lab.upload(0, 'gone')
    await lab.pass(2_000)
    await lab.until(lab.node(2).stop())
    await lab.remove(0, gone)
    await lab.forget(0, 1)
    expect(await lab.tombstones(0)).toBe(1)
    const { heldBackBy, sinceMs } = lab.cluster(0).rounds.status
    expect([heldBackBy, typeof sinceMs]).toEqual(['n2', 'number'])
    await lab.until(lab.node(2).start())
    await lab.forget(0, 1, 2)
    expect(await Promise.all([0, 1, 2].map(i => lab.tombstones(i)))).toEqual([0, 0, 0])
    expect(lab.cluster(0).rounds.status.heldBackBy).toBeUndefined()
  })

  test('counts once the member that is away was removed; back again it keeps its news and buries the rest', async () => {
    const lab = await Lab.of(3)
    const gone = await lab.upload(0, 'gone')
    const kept = await lab.upload(0, 'kept')
    await lab.pass(2_000)
    lab.cutOff(2)
    const news = await lab.upload(2, 'news')
    await lab.remove(0, gone)
    await lab.pass(1_000)
    await lab.until(lab.cluster(0).departures.remove('n2' as NodeId))
    await lab.forget(0, 1)
    expect([lab.knows(0, gone), lab.knows(1, gone), lab.knows(2, gone)]).toEqual([false, false, true])
    await lab.remove(2, kept)
    lab.network.links.heal()
    await lab.pass(10_000)
    expect([0, 1, 2].map(i => lab.knows(i, news))).toEqual([true, true, true])
    expect(await lab.text(1, news)).toBe('news')
    await expect(lab.text(0, kept)).rejects.toMatchObject({ code: 'ERR_PHOTO_DELETED' })
    await lab.forget(0, 1, 2)
    expect([0, 1, 2].map(i => lab.knows(i, gone))).toEqual([false, false, false])
    expect(lab.digests(0, 1, 2)).toBe(1)
    expect(lab.cluster(0).departures.recordedMembers().sort()).toEqual(['n0', 'n1', 'n2'])
  })
})

describe('a member', () => {
  test('leaves when all that it holds is with others, and may come back', async () => {
    const lab = await Lab.of(3)
    lab.cutOff(0)
    const only = await lab.upload(0, 'only here')
    const left = lab.cluster(0).decommission
    let ended = false
    void left.left.then(() => {
      ended = true
    })
    await lab.pass(10_000)
    await expect(lab.until(left.leave(() => {}, new AbortController().signal))).rejects.toMatchObject({
      code: 'ERR_PEER_UNREACHABLE'
    })
    lab.network.links.heal()
    await lab.pass(5_000)
    const report = await lab.until(left.leave(() => {}, new AbortController().signal))
    expect(report.acknowledgedBy).toBeGreaterThan(0)
    await expect(lab.upload(0, 'late')).rejects.toMatchObject({ code: 'ERR_LEAVING' })
    await lab.pass(3_000)
    expect(ended).toBe(true)
    await lab.until(lab.node(0).stop())
    await lab.pass(2_000)
    expect(await lab.text(1, only)).toBe('only here')
    const states = lab.cluster(1).membership.members()
    expect(states.map(({ id, state }) => `${id} ${state}`)).toEqual(['n0 left', 'n1 alive', 'n2 alive'])
    await lab.until(lab.node(0).start())
    await lab.pass(5_000)
    expect(
      lab
        .cluster(1)
        .membership.members()
        .map(({ state }) => state)
    ).toEqual(['alive', 'alive', 'alive'])
    await lab.upload(0, 'back')
  })

  test('that is removed while it is there stays out until it is started again', async () => {
    const lab = await Lab.of(3)
    await lab.pass(12_000)
    await lab.until(lab.cluster(0).departures.remove('n2' as NodeId))
    await lab.pass(10_000)
    expect([lab.cluster(2).isRemoved, lab.node(2).transport?.peers()]).toEqual([true, []])
    expect(lab.cluster(0).departures.recordedMembers().sort()).toEqual(['n0', 'n1'])
    const alone = await lab.upload(2, 'alone')
    await lab.pass(2_000)
    expect(lab.knows(0, alone)).toBe(false)
    await lab.until(lab.node(2).stop())
    await lab.until(lab.node(2).start())
    await lab.pass(5_000)
    expect(lab.knows(0, alone)).toBe(true)
    await expect(lab.until(lab.cluster(0).departures.remove('nobody' as NodeId))).rejects.toMatchObject({
      code: 'ERR_NO_SUCH_MEMBER'
    })
    await expect(lab.until(lab.cluster(0).departures.remove('n0' as NodeId))).rejects.toMatchObject({
      code: 'ERR_BAD_REQUEST'
    })
  })

  test('that is gone for long has its volumes compacted by one of the others', async () => {
    const lab = await Lab.of(3)
    const dead = await lab.upload(0, 'dead')
    const kept = await lab.upload(0, 'kept')
    await lab.pass(2_000)
    await lab.until(lab.node(0).stop())
    await lab.remove(1, dead)
    const held = (i: number): boolean =>
      lab
        .node(i)
        .services.local.volumes.volumes()
        .some(({ superblock }) => superblock && Buffer.from(superblock.origin).toString('utf8', 0, 2) === 'n0')
    await lab.pass(2_000)
    await lab.compact(1, 2)
    expect([held(1), held(2)]).toEqual([true, true])
    await lab.pass(PAUSES.absentMs)
    for (let round = 0; round < 2; round++) {
      await lab.compact(1, 2)
      await lab.pass(2_000)
    }
    expect([held(1), held(2)]).toEqual([false, false])
    expect([await lab.text(1, kept), await lab.text(2, kept)]).toEqual(['kept', 'kept'])
    await lab.until(lab.node(0).start())
    await lab.pass(5_000)
    expect(await lab.text(0, kept)).toBe('kept')
  })
})
