import { isDeleted, type JudgedWrite, type Rank } from '../test/checkers/photo-rules.js'
import {
  type Clock,
  type Floor,
  floorAfter,
  joinFloors,
  judgeListing,
  judgeSighting,
  type Sighting
} from '../test/checkers/session-rules.js'
import type { Call, Line, LineOf, NodeState } from './history.js'
import type { Operation, Timeline } from './timeline.js'

interface Dot {
  readonly actor: string
  readonly counter: number
}

/** A write as its client knows it. */
export interface ToldWrite extends JudgedWrite {
  readonly node: string
  readonly beganMs: number
  readonly saw: Set<ToldWrite>
  mayHaveSeen: ReadonlySet<ToldWrite>
  rank: Rank
  isRankLeast: boolean
  fate: JudgedWrite['fate']
  carries: readonly string[]
  endedMs: number
  /** What its node had merged once it was made, itself included; undefined: not told. */
  clock: Clock | undefined
  dot: Dot | undefined
}

/** What a client may rely on at one node about one photo. */
interface View {
  floor: Floor | undefined
  readonly seen: Set<ToldWrite>
}

interface Asked {
  readonly operation: Operation
  readonly write: ToldWrite | undefined
  readonly floor: Floor | undefined
  /** Of a list or a search: what the node has shown of each photo. */
  readonly floors?: ReadonlyMap<string, Floor>
}

/** What a process knew ends with it; until the next one is up, answers of the old one may still come in. */
const FORGETFUL: readonly NodeState[] = ['down', 'stopping', 'up']

/**
 * Walks through a history in the order in which things happened, and finds out what each write had seen. A node knows what
 * it has shown for as long as its process lives, and after that what it has acknowledged.
 */
export class ToldWrites {
  /** By photo. */
  readonly writes = new Map<string, ToldWrite[]>()
  /** What a client was shown although it had been shown more before, in words. */
  readonly stale: string[] = []
  readonly #alive = new Map<string, Map<string, View>>()
  readonly #durable = new Map<string, Map<string, View>>()
  /** By photo; undefined: there are no accounts. */
  readonly #owners = new Map<string, string | undefined>()

  constructor(lines: readonly Line[], timeline: Timeline) {
    const operations = new Map(timeline.operations.map(operation => [operation.op, operation]))
    const asked = new Map<number, Asked>()
    for (const { call, end } of timeline.operations)
      if (call.kind === 'upload' && end?.told?.photo !== undefined) this.#owners.set(end.told.photo, call.as)
    for (const line of lines) {
      if (line.type === 'begin') asked.set(line.op, this.#begin(operations.get(line.op) as Operation))
      else if (line.type === 'end') this.#end(asked.get(line.op), line)
      else if (line.type === 'node' && line.state === 'damaged') this.#forgetAll(line.node)
      else if (line.type === 'node' && FORGETFUL.includes(line.state)) this.#forget(line.node)
    }
    for (const writes of this.writes.values()) settle(writes)
  }

  of(photo: string): readonly ToldWrite[] {
    return this.writes.get(photo) ?? []
  }

  /** A photo turned up of which nobody was told: one of the uploads without an answer made it. */
  adopt(photo: string, { op, node, call, beganMs }: Operation): void {
    if (call.kind === 'upload') this.#add(photo, { ...newWrite(op, node, call, beganMs), fate: 'maybe' })
  }

  #begin(operation: Operation): Asked {
    const { op, node, call, beganMs } = operation
    if ((call.kind === 'list' && call.whole) || call.kind === 'search')
      return { operation, write: undefined, floor: undefined, floors: floorsOf(this.#alive.get(node)) }
    if (!isAboutPhoto(call)) return { operation, write: undefined, floor: undefined }
    const { floor, seen } = viewAt(this.#alive, node, call.photo)
    if (call.kind === 'look' || call.kind === 'fetch') return { operation, write: undefined, floor }
    const write = newWrite(op, node, call, beganMs)
    for (const earlier of seen) write.saw.add(earlier)
    const [birth] = this.of(call.photo)
    if (birth !== undefined) write.saw.add(birth) // what is not there cannot be changed
    write.rank = leastRank(write)
    this.#add(call.photo, write)
    return { operation, write, floor }
  }

  #end(asked: Asked | undefined, end: LineOf<'end'>): void {
    if (asked === undefined) return
    const { operation, write, floor } = asked
    const { call, node } = operation
    if (asked.floors !== undefined && end.told?.photos !== undefined) this.#list(operation, asked.floors, end)
    if (call.kind === 'upload') this.#born(operation, end)
    else if (isAboutPhoto(call)) {
      if (write !== undefined) this.#settleFate(write, end)
      const seen = this.#mayBeHidden(call, call.photo, end) ? 'nothing' : sightingOf(call, end)
      const problem = seen === 'nothing' ? undefined : judgeSighting(floor, seen === 'unknown' ? undefined : seen)
      if (problem !== undefined) this.stale.push(`${call.kind} #${end.op} of ${call.photo} at ${node}: ${problem}`)
      if (typeof seen !== 'object') return
      this.#learn(operation, call.photo, write?.fate === 'acknowledged' ? write : undefined, floor, seen)
    }
  }

  #list({ node, call }: Operation, floors: ReadonlyMap<string, Floor>, { op, told }: LineOf<'end'>): void {
    const listed = new Set(told?.photos)
    // who has looked at a photo is not known, only what may not be found any more
    const mayLack = call.kind === 'search'
    for (const [photo, floor] of floors) {
      if (!listed.has(photo) && !this.#isOf(call, photo)) continue
      const possible = this.of(photo).filter(({ fate }) => fate !== 'failed')
      const problem = judgeListing(floor, listed.has(photo), {
        mayBeDeleted: mayLack || possible.some(({ kind }) => kind === 'delete'),
        mayBeUndeleted: possible.some(({ kind }) => kind === 'undelete')
      })
      if (problem !== undefined) this.stale.push(`${call.kind} #${op} at ${node}: ${photo}: ${problem}`)
    }
  }

  /** Whether it says nothing of the photo that it is not found, since who asks may not see it. */
  #mayBeHidden(call: Call, photo: string, { status }: LineOf<'end'>): boolean {
    return status === 404 && !this.#isOf(call, photo)
  }

  /** Whether it is a photo of who asks, so that nobody can take it out of his sight. */
  #isOf({ as }: Call, photo: string): boolean {
    return as === this.#owners.get(photo)
  }

  /** The node is known to have merged what an answer shows. */
  #learn(
    { node }: Operation,
    photo: string,
    write: ToldWrite | undefined,
    before: Floor | undefined,
    seen: Sighting
  ): void {
    const { clock } = seen
    const covered =
      clock === undefined ? [] : this.of(photo).filter(({ dot }) => dot !== undefined && covers(clock, dot))
    const merged = new Set(covered.flatMap(earlier => [earlier, ...earlier.saw]))
    if (write !== undefined) {
      for (const earlier of merged) if (earlier !== write) write.saw.add(earlier)
      for (const earlier of write.saw) merged.add(earlier)
      merged.add(write)
    }
    const floor = floorAfter(before, seen)
    // a delete or undelete may have found its work done already, by what the node had only heard of
    const durable = write?.kind === 'edit' ? merged : write === undefined ? [] : [write]
    raise(viewAt(this.#alive, node, photo), floor, merged)
    if (write !== undefined) raise(viewAt(this.#durable, node, photo), floor, durable)
  }

  #born({ op, node, call, beganMs }: Operation, { outcome, told, atMs }: LineOf<'end'>): void {
    if (call.kind !== 'upload' || outcome !== 'ok' || told?.photo === undefined) return
    const known = this.of(told.photo)[0]
    const write: ToldWrite = known ?? { ...newWrite(op, node, call, beganMs), isRankLeast: false }
    write.fate = 'acknowledged'
    write.endedMs = Math.min(write.endedMs, atMs)
    if (known === undefined) this.#add(told.photo, write)
    const floor = { rank: 0, clock: {} }
    for (const views of [this.#alive, this.#durable]) raise(viewAt(views, node, told.photo), floor, [write])
  }

  #settleFate(write: ToldWrite, { outcome, told, atMs }: LineOf<'end'>): void {
    write.fate = outcome === 'ok' ? 'acknowledged' : outcome === 'failed' ? 'failed' : 'maybe'
    if (outcome !== 'ok') return
    write.endedMs = atMs
    const { actor, clock, generation } = told ?? {}
    if (actor === undefined || clock === undefined || generation === undefined) return
    write.clock = clock
    write.dot = { actor, counter: clock[actor] ?? 0 }
    write.rank = generation * 2
    write.isRankLeast = false
  }

  #forget(node: string): void {
    const durable = this.#durable.get(node) ?? new Map<string, View>()
    this.#alive.set(
      node,
      new Map([...durable].map(([photo, { floor, seen }]) => [photo, { floor, seen: new Set(seen) }]))
    )
  }

  /** What it has acknowledged has to be elsewhere, not there. */
  #forgetAll(node: string): void {
    this.#durable.delete(node)
    this.#forget(node)
  }

  #add(photo: string, write: ToldWrite): void {
    const writes = this.writes.get(photo)
    if (writes === undefined) this.writes.set(photo, [write])
    else writes.push(write)
  }
}

/** @returns what the answer shows; `unknown`: the node does not know the photo; `nothing`: it says nothing */
function sightingOf({ kind }: Call, { outcome, status, code, told }: LineOf<'end'>): Sighting | 'unknown' | 'nothing' {
  if (status === 404) return 'unknown'
  if (code === 'ERR_PHOTO_DELETED' || (kind === 'delete' && outcome === 'ok')) return shows(true)
  if (outcome !== 'ok') return 'nothing'
  return { deleted: false, generation: told?.generation, clock: told?.clock }
}

function shows(deleted: boolean): Sighting {
  return { deleted, generation: undefined, clock: undefined }
}

function newWrite(op: number, node: string, call: Call, beganMs: number): ToldWrite {
  const isEdit = call.kind === 'edit'
  return {
    number: op,
    kind: call.kind === 'upload' ? 'birth' : (call.kind as 'edit' | 'delete' | 'undelete'),
    node,
    beganMs,
    endedMs: Number.POSITIVE_INFINITY,
    adds: isEdit ? call.adds : [],
    removes: isEdit ? call.removes : [],
    saw: new Set(),
    mayHaveSeen: new Set(),
    name: isEdit || call.kind === 'upload' ? call.name : undefined,
    carries: [],
    rank: 0,
    isRankLeast: true,
    fate: 'maybe',
    clock: undefined,
    dot: undefined
  }
}

/** Once all of a photo is known: what each write may have seen, and took along. */
function settle(writes: readonly ToldWrite[]): void {
  const tags = [...new Set(writes.flatMap(({ adds }) => adds))]
  for (const write of writes) {
    write.mayHaveSeen = new Set(writes.filter(other => other !== write && mayHaveSeen(write, other)))
    if (write.kind === 'delete' || write.kind === 'undelete') write.carries = tags
  }
}

/** For sure where both are known by their clocks; else by the time at which the other was asked for. */
function mayHaveSeen({ clock, endedMs }: ToldWrite, { dot, beganMs }: ToldWrite): boolean {
  return clock !== undefined && dot !== undefined ? covers(clock, dot) : beganMs <= endedMs
}

/** The least rank of its kind above all that it saw. */
function leastRank({ kind, saw }: ToldWrite): Rank {
  const least = Math.max(0, ...[...saw].filter(({ fate }) => fate === 'acknowledged').map(({ rank }) => rank))
  return isDeleted(least) === (kind === 'delete') ? least : least + 1
}

function covers(clock: Clock, { actor, counter }: Dot): boolean {
  return (clock[actor] ?? 0) >= counter
}

/** Whether the photo is what is asked for, and not only put somewhere. */
function isAboutPhoto(call: Call): call is Extract<Call, { readonly photo: string }> {
  return 'photo' in call && call.kind !== 'fill' && call.kind !== 'takeOut'
}

function floorsOf(views: ReadonlyMap<string, View> | undefined): ReadonlyMap<string, Floor> {
  return new Map([...(views ?? [])].flatMap(([photo, { floor }]) => (floor === undefined ? [] : [[photo, floor]])))
}

function viewAt(views: Map<string, Map<string, View>>, node: string, photo: string): View {
  const ofNode = views.get(node) ?? new Map<string, View>()
  views.set(node, ofNode)
  const view = ofNode.get(photo) ?? { floor: undefined, seen: new Set<ToldWrite>() }
  ofNode.set(photo, view)
  return view
}

function raise(view: View, floor: Floor, seen: Iterable<ToldWrite>): void {
  view.floor = joinFloors(floor, view.floor)
  for (const write of seen) view.seen.add(write)
}
