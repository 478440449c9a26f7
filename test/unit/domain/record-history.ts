/*
 * Random histories of one photo on several nodes. Each node's wall clock is anywhere from 1970 to 2099 and jumps, nodes
 * merge in any order, writes fail and are retried. A model too simple to be wrong is kept beside the records: the set of
 * all entries ever written, the set of those that a write dropped, and the lives that somebody buried.
 */
import fc from 'fast-check'
import { type Entry, VERSION_FIELD } from '../../../src/domain/entry.js'
import { HybridClock } from '../../../src/domain/hlc.js'
import type { ActorId } from '../../../src/domain/ids.js'
import {
  addVariantChange,
  createChanges,
  deleteChanges,
  editChanges,
  restoreChanges,
  undeleteChanges,
  viewPhoto
} from '../../../src/domain/photo.js'
import {
  type Change,
  changeRecord,
  conflictVersions,
  type DirectoryRecord,
  graveOf,
  mergeRecords,
  shownVersion
} from '../../../src/domain/record.js'
import { decodeRecord, encodeRecord } from '../../../src/domain/record-codec.js'
import { covers, type LifeActor, lifeOf } from '../../../src/domain/version-vector.js'
import { countingStamper, NOW_MS, PHOTO_BIRTH, PHOTO_KEY } from '../../support/domain-arbitraries.js'
import { SimulatedClock } from '../../support/simulated-clock.js'

const NODES = 3
const YEAR_2099 = Date.UTC(2099, 0, 1)

const nodeArb = fc.nat({ max: NODES - 1 })
const labelArb = fc.constantFrom('a', 'b', 'c')

export type Step =
  | { readonly do: 'rename' | 'restore'; readonly node: number; readonly n: number; readonly failed: boolean }
  | { readonly do: 'tag' | 'untag'; readonly node: number; readonly label: string; readonly failed: boolean }
  | { readonly do: 'delete' | 'undelete' | 'variant'; readonly node: number; readonly failed: boolean }
  | { readonly do: 'bury'; readonly node: number }
  | { readonly do: 'clock'; readonly node: number; readonly ms: number }
  | { readonly do: 'merge'; readonly node: number; readonly from: number }

const failedArb = fc.integer({ min: 0, max: 9 }).map(roll => roll === 0)
const writeArb = <Name extends string>(...names: Name[]) =>
  ({ do: fc.constantFrom(...names), node: nodeArb, failed: failedArb }) as const

export const stepArb: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ ...writeArb('rename', 'restore'), n: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ ...writeArb('tag', 'untag'), label: labelArb }) },
  { weight: 2, arbitrary: fc.record(writeArb('delete', 'undelete', 'variant')) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('clock'),
      node: nodeArb,
      ms: fc.constantFrom(0, NOW_MS - 1, NOW_MS + 30_000, YEAR_2099)
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('bury'), node: nodeArb }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('merge'), node: nodeArb, from: nodeArb }) }
)

interface HistoryNode {
  readonly clock: SimulatedClock
  readonly hybridClock: HybridClock
  actor: ActorId
  record: DirectoryRecord
}

/** One write: the record that its node knew, and the record that it wrote. */
export interface Write {
  readonly before: DirectoryRecord
  readonly after: DirectoryRecord
}

export class History {
  readonly nodes: HistoryNode[]
  readonly writes: Write[] = []
  /** Records of writes that failed, but are on the disk of their node all the same. */
  readonly inDoubt: DirectoryRecord[] = []
  /** Lives below it were buried by some node; 0: none was. */
  buried = 0
  #actorCount = 0
  readonly #merge: typeof mergeRecords

  /** @param merge - another one to try how it fails */
  constructor(steps: readonly Step[], merge: typeof mergeRecords = mergeRecords) {
    this.#merge = merge
    const birth = changeRecord(PHOTO_KEY, undefined, countingStamper(this.#freshActor()), createChanges(PHOTO_BIRTH))
    this.nodes = Array.from({ length: NODES }, () => {
      const clock = new SimulatedClock(NOW_MS)
      return { clock, hybridClock: new HybridClock({ clock }), actor: this.#freshActor(), record: birth }
    })
    for (const step of steps) this.#run(step)
  }

  /** The record after all nodes have merged, failed writes that are on disks included. */
  joined(): DirectoryRecord {
    return [...this.nodes.map(({ record }) => record), ...this.inDoubt].reduce(this.#merge)
  }

  /** Dots, as text, of all entries that no write dropped. */
  expectedDots(): Set<string> {
    const dots = new Set<string>()
    for (const { after } of this.writes) for (const entry of after.entries) dots.add(dotText(entry))
    for (const node of this.nodes) for (const entry of node.record.entries) dots.add(dotText(entry))
    for (const { before, after } of this.writes) {
      const left = new Set(after.entries.map(dotText))
      for (const entry of before.entries) if (!left.has(dotText(entry))) dots.delete(dotText(entry))
    }
    return new Set([...dots].filter(dot => this.isInLife(dot)))
  }

  /** Whether the life of a dot, as text, is not over. */
  isInLife(dot: string): boolean {
    return lifeOf(dot.slice(0, dot.indexOf('.')) as LifeActor) >= this.buried
  }

  /** All versions ever written in lives that are not over. */
  versions(): Entry[] {
    const byDot = new Map<string, Entry>()
    for (const { before, after } of this.writes) {
      for (const entry of [...before.entries, ...after.entries]) byDot.set(dotText(entry), entry)
    }
    return [...byDot.values()].filter(entry => entry.field === VERSION_FIELD && this.isInLife(dotText(entry)))
  }

  /** Alternates between actors that are smaller and greater than the earlier ones. */
  #freshActor(): ActorId {
    this.#actorCount += 1
    return (this.#actorCount * 0x9e3779b97f4a7).toString(16).slice(-12).padStart(16, '0') as ActorId
  }

  #run(step: Step): void {
    const node = this.nodes[step.node]!
    if (step.do === 'clock') {
      node.clock.setWall(step.ms)
    } else if (step.do === 'merge') {
      const incoming = this.nodes[step.from]!.record
      for (const entry of incoming.entries) node.hybridClock.observe(entry.hlc)
      node.record = this.#merge(node.record, decodeRecord(encodeRecord(incoming)))
    } else if (isBareGrave(node.record)) {
      // nothing is written from a grave
    } else if (step.do === 'bury') {
      const { deleted, generation } = shownVersion(node.record)
      if (!deleted) return
      node.record = this.#merge(node.record, graveOf(PHOTO_KEY, generation))
      this.buried = Math.max(this.buried, generation + 1)
    } else {
      const stamper = { actor: node.actor, hlc: node.hybridClock.after.bind(node.hybridClock) }
      const changes = changesOf(step, node.record)
      if (changes.length === 0) return
      const after = changeRecord(PHOTO_KEY, node.record, stamper, changes)
      this.writes.push({ before: node.record, after })
      if (step.failed) {
        this.inDoubt.push(after)
        node.actor = this.#freshActor()
      } else {
        node.record = after
      }
    }
  }
}

function changesOf(step: Exclude<Step, { do: 'clock' | 'merge' | 'bury' }>, record: DirectoryRecord): Change[] {
  const photo = viewPhoto(record)
  if (step.do === 'undelete') return undeleteChanges(record)
  if (photo.deleted) return []
  switch (step.do) {
    case 'rename':
      return editChanges(photo, { name: `${photo.name}${step.n}`.slice(-12) })
    case 'restore':
      return conflictVersions(record).length < step.n ? [] : restoreChanges(record, step.n)
    case 'tag':
      return editChanges(photo, { tags: { add: [step.label] } })
    case 'untag':
      return editChanges(photo, { tags: { remove: [step.label] } })
    case 'delete':
      return deleteChanges(record)
    case 'variant':
      return [
        addVariantChange('thumb', {
          recipe: 'r1',
          sha256: 'aa'.repeat(32),
          size: 9,
          contentType: 'image/webp',
          chunkBytes: 0
        })
      ]
  }
}

export function isBareGrave({ entries }: DirectoryRecord): boolean {
  return entries.length === 0
}

export function dotText({ dot }: Entry): string {
  return `${dot.actor}.${dot.counter}`
}

/** @returns the versions in the context of a write, superseded ones included */
export function versionsSeenBy({ before }: Write, versions: readonly Entry[]): Entry[] {
  return versions.filter(({ dot }) => covers(before.context, dot))
}

/** @returns the version that the write added; undefined if it added none */
export function versionMadeBy({ before, after }: Write): Entry | undefined {
  const made = shownVersion(after)
  return covers(before.context, made.dot) ? undefined : made
}
