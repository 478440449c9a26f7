/*
 * One check each of what a history tells, by the rules that the simulation shares where it has them. Each returns what is
 * wrong, in words.
 */
import { type Availability, judgeAvailability } from '../test/checkers/availability.js'
import { judgePhoto, rankOf, type ShownPhoto } from '../test/checkers/photo-rules.js'
import { judgeCoverage, judgeIndex, type SearchAnswer } from '../test/checkers/search-rules.js'
import { sha256Hex } from '../test/support/photo-maker.js'
import type { FinalPhoto, LineOf, Upload } from './history.js'
import { mayBeHidden, mayBeNobody, mayBeRefused } from './people-checks.js'
import type { SharingHistory } from './sharing-history.js'
import type { Operation, Timeline } from './timeline.js'
import type { ToldWrites } from './told-writes.js'
import { bytesOf } from './uploaded-bytes.js'

/** What a node keeps of conflicts; where there are so many, some may be missing. */
const CONFLICTS_MAX = 16
/** Until nodes that were apart have met again: dials are few and patient. */
const REUNION_MS = 15_000
/** Until a node that was started on harmed files has all again. */
const MENDING_MS = 15_000
/** A photo that is so new may have come to one node that is asked and not to another. */
const NEW_MS = 15_000
/** Until a node that has started has loaded its model. */
const LOADING_MS = 15_000

/** Every read gives exactly the bytes that were uploaded. */
export function checkBytes(
  operations: readonly Operation[],
  finals: readonly LineOf<'final'>[],
  uploads: ReadonlyMap<string, Upload>
): string[] {
  const problems: string[] = []
  for (const { op, node, call, end } of operations) {
    if (call.kind !== 'fetch' || end?.outcome !== 'ok') continue
    const upload = uploads.get(call.photo)
    if (upload === undefined) continue
    const [from, to] = call.range ?? [0, upload.byteCount]
    const expected = bytesOf(upload).subarray(from, to)
    if (end.told?.byteCount === expected.length && end.told.sha256 === sha256Hex(expected)) continue
    problems.push(`fetch #${op} of ${call.photo} [${from}, ${to}) at ${node} gave other bytes`)
  }
  for (const { node, photo, seen } of finals) {
    if (seen.status !== 200 || seen.bytes === undefined) continue
    const { status, sha256, source } = seen.bytes
    if (status !== 200) problems.push(`${photo} at ${node}: its bytes are answered with ${status} in the end`)
    else if (sha256 !== seen.sha256) problems.push(`${photo} at ${node}: its bytes are others than it says`)
    else if (source !== undefined && source !== 'local')
      problems.push(`${photo} at ${node}: its bytes still come from ${source} in the end`)
  }
  return problems
}

/** Each photo is of an upload, of which there are no more than were tried; and lists have what lives. */
export function checkSet(
  operations: readonly Operation[],
  finals: readonly LineOf<'final'>[],
  lists: readonly LineOf<'listed'>[],
  told: ToldWrites
): string[] {
  const tries = new Map<string, Operation[]>()
  const photoOf = new Map<string, Set<string>>()
  for (const operation of operations) {
    if (operation.call.kind !== 'upload' || operation.end?.outcome === 'failed') continue
    const { sha256 } = operation.call
    tries.set(sha256, [...(tries.get(sha256) ?? []), operation])
    const photo = operation.end?.told?.photo
    if (photo !== undefined) photoOf.set(sha256, (photoOf.get(sha256) ?? new Set()).add(photo))
  }
  const problems: string[] = []
  for (const { node, photo, seen } of finals) {
    if (seen.sha256 === undefined) continue
    const [first] = tries.get(seen.sha256) ?? []
    if (first === undefined) problems.push(`${photo} at ${node} is of no upload`)
    else {
      photoOf.set(seen.sha256, (photoOf.get(seen.sha256) ?? new Set()).add(photo))
      if (told.of(photo).length === 0) told.adopt(photo, first)
    }
  }
  for (const [sha256, photos] of photoOf) {
    const count = tries.get(sha256)?.length ?? 0
    if (photos.size > count) problems.push(`${[...photos].join(' and ')} are of one upload, tried ${count} times`)
  }
  for (const { node, photos } of lists) {
    const listed = new Set(photos)
    for (const final of finals) {
      if (final.node !== node || listed.has(final.photo) === (final.seen.status === 200)) continue
      const lists = listed.has(final.photo) ? 'lists' : 'does not list'
      problems.push(`${node} ${lists} ${final.photo}, which it answers with ${final.seen.status}`)
    }
  }
  return problems
}

/** What nodes show in the end fits what clients were told: nothing lost, nothing back, no write beaten by one that it saw. */
export function checkPhotos(finals: readonly LineOf<'final'>[], told: ToldWrites, haveConverged: boolean): string[] {
  return finals.flatMap(({ node, photo, seen }) => {
    // where nodes do not agree, each has to know at least what it acknowledged itself
    const problems = judgePhoto(told.of(photo), shownOf(seen), write => haveConverged || write.node === node)
    return problems.map(problem => `${photo} at ${node}: ${problem}`)
  })
}

/** All nodes show the same in the end. */
export function checkSameness(finals: readonly LineOf<'final'>[]): string[] {
  const shown = new Map<string, Map<string, string[]>>()
  for (const { node, photo, seen } of finals) {
    const { bytes: _, conflicts = [], ...rest } = seen
    const text = JSON.stringify({ ...rest, conflicts: [...conflicts].sort() })
    const texts = shown.get(photo) ?? new Map<string, string[]>()
    shown.set(photo, texts.set(text, [...(texts.get(text) ?? []), node]))
  }
  return [...shown].flatMap(([photo, texts]) =>
    texts.size === 1
      ? []
      : [`${photo} is ${[...texts].map(([text, nodes]) => `${text} at ${nodes.join(' ')}`).join(', ')}`]
  )
}

/** Copies of a volume that go equally far are the same, byte for byte. */
export function checkDisks(disks: readonly LineOf<'disk'>[]): string[] {
  const copies = new Map<string, Map<string, string[]>>()
  for (const { node, volumes } of disks) {
    for (const { name, byteCount, sha256 } of volumes) {
      const key = `${name} of ${byteCount} bytes`
      const contents = copies.get(key) ?? new Map<string, string[]>()
      copies.set(key, contents.set(sha256, [...(contents.get(sha256) ?? []), node]))
    }
  }
  return [...copies].flatMap(([volume, contents]) =>
    contents.size === 1
      ? []
      : [
          `${volume} is not the same on the disks of ${[...contents.values()].map(nodes => nodes.join(' ')).join(' and ')}`
        ]
  )
}

/** Searches tell truthfully of how much they are, and in the end find what lives. */
export function checkSearches(
  timeline: Timeline,
  searched: readonly LineOf<'searched'>[],
  finals: readonly LineOf<'final'>[],
  told: ToldWrites
): string[] {
  const problems: string[] = []
  const found = new Map<string, Map<string, number>>() // since when, by photo, by node
  const mayBeDeleted = (photo: string, to: number): boolean =>
    told.of(photo).some(({ kind, fate, beganMs }) => kind === 'delete' && fate !== 'failed' && beganMs <= to)
  for (const { what, node, beganMs, endedMs, photos, coverage } of answersOf(timeline, searched)) {
    const ofNode = found.get(node) ?? new Map<string, number>()
    found.set(node, ofNode)
    const before = [...ofNode].filter(([photo, at]) => {
      return at + NEW_MS <= beganMs && timeline.wasQuiet(at - REUNION_MS, endedMs) && !mayBeDeleted(photo, endedMs)
    })
    const lacks = judgeCoverage(
      { photos, coverage },
      before.map(([photo]) => photo)
    )
    problems.push(...lacks.map(problem => `${what} at ${node}: ${problem}`))
    for (const photo of photos) {
      const since = ofNode.get(photo)
      if (since === undefined || !timeline.wasQuiet(since - REUNION_MS, endedMs)) ofNode.set(photo, endedMs)
    }
  }
  for (const node of new Set(searched.map(({ node }) => node))) {
    const { photos = [], coverage } = searched.findLast(line => line.node === node) ?? {}
    const live = finals.filter(final => final.node === node && final.seen.status === 200)
    const answer = coverage === undefined ? undefined : { photos, coverage }
    const wrong = judgeIndex(
      answer,
      live.map(({ photo }) => photo)
    )
    problems.push(...wrong.map(problem => `${node}: ${problem}, long after all agreed`))
  }
  return problems
}

interface Found extends SearchAnswer {
  readonly what: string
  readonly node: string
  readonly beganMs: number
  readonly endedMs: number
}

/** In the order in which they came. */
function answersOf({ operations }: Timeline, searched: readonly LineOf<'searched'>[]): readonly Found[] {
  const underLoad = operations.flatMap(({ op, node, call, beganMs, end }): Found[] => {
    const { photos, coverage } = end?.told ?? {}
    if (call.kind !== 'search' || end === undefined || photos === undefined || coverage === undefined) return []
    return [{ what: `search #${op}`, node, beganMs, endedMs: end.atMs, photos, coverage }]
  })
  const atLast = searched.flatMap(({ node, atMs, photos, coverage }): Found[] => {
    if (photos === undefined || coverage === undefined) return []
    return [{ what: 'a search in the end', node, beganMs: atMs, endedMs: atMs, photos, coverage }]
  })
  return [...underLoad, ...atLast].sort((a, b) => a.endedMs - b.endedMs)
}

/** How each operation was served. */
export function availabilityOf(
  timeline: Timeline,
  told: ToldWrites,
  history: SharingHistory,
  deadlineMs: number
): ReadonlyMap<number, Availability> {
  const served = new Map<number, Availability>()
  const { operations } = timeline
  const makers = new Map(
    operations.flatMap(one =>
      one.call.kind === 'makeAlbum' && one.end?.told?.album ? [[one.end.told.album, one] as const] : []
    )
  )
  const haveAccounts = operations.some(({ call }) => call.as !== undefined)
  // nobody asks elsewhere for an album that is not known
  const isNewAlbum = ({ node, call, beganMs, end }: Operation): boolean => {
    const maker = 'album' in call ? makers.get(call.album) : undefined
    if (maker?.end === undefined || end === undefined) return false
    const isNew = beganMs - maker.end.atMs < REUNION_MS
    return maker.node !== node && (isNew || timeline.mayBeApart(node, maker.node, beganMs, end.atMs, REUNION_MS))
  }
  for (const operation of operations) {
    const { op, node, call, beganMs, end } = operation
    if (end === undefined) continue
    const writes = 'photo' in call ? told.of(call.photo) : []
    const apart = (from: string): boolean => timeline.mayBeApart(node, from, beganMs, end.atMs, REUNION_MS)
    const birth = writes[0]
    const mayBeDamaged = timeline.mayBeDamaged(node, beganMs, end.atMs, MENDING_MS)
    const needsBytes = call.kind === 'fetch' || call.kind === 'undelete'
    const sources = writes.filter(({ kind, fate }) => kind === 'birth' || (kind === 'undelete' && fate !== 'failed'))
    served.set(
      op,
      judgeAvailability(
        { tookMs: end.atMs - beganMs, status: end.status, code: end.code },
        {
          deadlineMs,
          faultOfNode: timeline.troubleOf(node, beganMs, end.atMs),
          mayBeUnknown:
            (birth !== undefined && apart(birth.node)) ||
            isNewAlbum(operation) ||
            mayBeHidden(operation, history) ||
            mayBeNobody(operation, history),
          mayNotKnowAsker: haveAccounts && (mayBeDamaged || timeline.hadWrongClock(node, beganMs, end.atMs)),
          mayBeRefused: mayBeRefused(operation, history),
          mayBeDeleted: writes.some(
            ({ kind, fate, beganMs: at }) => kind === 'delete' && fate !== 'failed' && at <= end.atMs
          ),
          mayBeDamaged,
          mayLackModel: call.kind === 'search' && timeline.hasJustStarted(node, beganMs, LOADING_MS),
          // what begins well may end where a bit has flipped
          mayLackBytes: needsBytes && (mayBeDamaged || sources.some(source => apart(source.node)))
        }
      )
    )
  }
  return served
}

function shownOf({ status, name, tags, generation, conflicts }: FinalPhoto): ShownPhoto | undefined {
  if (status === 410) return { rank: undefined, version: undefined }
  if (status !== 200 || name === undefined || tags === undefined || generation === undefined) return undefined
  const rank = rankOf({ generation, deleted: false })
  // a life that is over may be buried, with what was written in it
  const version = {
    name,
    tags,
    conflicts: (conflicts?.length ?? 0) < CONFLICTS_MAX ? (conflicts ?? []) : undefined,
    livesFrom: rank
  }
  return { rank, version }
}
