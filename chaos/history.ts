/*
 * The history of a run: JSON lines, each written as it happens, so that a harness which dies leaves what it saw. All times
 * are milliseconds since the run began, by a clock that never goes back. A verdict is made of these lines and nothing else.
 */
import type { Clock } from '../test/checkers/session-rules.js'
import type { Plan } from './plan.js'

/** An upload can be made again from `seed`: its bytes are noise, or a picture of noise, that no other upload of the run has. */
export interface Upload {
  readonly name: string
  readonly seed: number
  readonly byteCount: number
  readonly sha256: string
  readonly key?: string
  readonly isPicture?: true
}

/** What a client asks a node for. */
export type Call = PhotoCall | PeopleCall

/** Of somebody who has an account, by name; undefined: there are no accounts. */
interface Asker {
  readonly as?: string
}

type PhotoCall = Asker &
  (
    | ({ readonly kind: 'upload' } & Upload)
    | {
        readonly kind: 'edit'
        readonly photo: string
        readonly name: string
        readonly adds: readonly string[]
        readonly removes: readonly string[]
      }
    | { readonly kind: 'delete' | 'undelete' | 'look'; readonly photo: string }
    /** @param range - first byte and the one after the last; default: all */
    | { readonly kind: 'fetch'; readonly photo: string; readonly range?: readonly [from: number, to: number] }
    /** @param whole - all photos, as far as one page has them; default: the newest few */
    | { readonly kind: 'list'; readonly whole?: true }
    /** For all photos. */
    | { readonly kind: 'search'; readonly words: string }
    | { readonly kind: 'compact' }
  )

/** About accounts, albums, and who may do what with them. */
type PeopleCall = Asker &
  (
    | { readonly kind: 'makeAlbum'; readonly title: string }
    | { readonly kind: 'fill' | 'takeOut'; readonly album: string; readonly photo: string }
    | { readonly kind: 'share'; readonly album: string; readonly to: string; readonly role: string }
    | { readonly kind: 'unshare'; readonly album: string; readonly to: string }
    | { readonly kind: 'shares'; readonly album: string }
    | { readonly kind: 'makeUser'; readonly name: string }
    | { readonly kind: 'setRole'; readonly user: string; readonly role: string }
    | { readonly kind: 'disable'; readonly user: string }
  )

const WRITES: readonly Call['kind'][] = [
  'upload',
  'edit',
  'delete',
  'undelete',
  'makeAlbum',
  'fill',
  'takeOut',
  'share',
  'unshare',
  'makeUser',
  'setRole',
  'disable'
]

export function isWrite({ kind }: Call): boolean {
  return WRITES.includes(kind)
}

/** The part of an answer that is judged. */
export interface Told {
  readonly photo?: string
  readonly album?: string
  /** Those that a photo is in; undefined: none. */
  readonly albums?: readonly string[]
  /** Whether a photo was put into an album, or taken out, as was asked for. */
  readonly isDone?: boolean
  readonly sha256?: string
  readonly byteCount?: number
  readonly name?: string
  readonly tags?: readonly string[]
  readonly generation?: number
  readonly clock?: Clock
  /** All photos that the node lists or finds; undefined: there are more. */
  readonly photos?: readonly string[]
  /** How much of the index a search has asked, from 0 to 1. */
  readonly coverage?: number
  /** Who wrote the version that is shown. */
  readonly actor?: string
}

/** `failed`: certainly without effect. `indeterminate`: done or not, and it may yet turn up. */
export type Outcome = 'ok' | 'failed' | 'indeterminate'

export type Phase = 'start' | 'calm' | 'faults' | 'healing' | 'final' | 'end'

/** `stopping`: it was told to end, and ends until it is `up` again. `damaged`: its files were harmed meanwhile. */
export type NodeState = 'up' | 'down' | 'stopping' | 'damaged' | 'paused' | 'resumed'

/** What a node has of a photo in the end. */
export interface FinalPhoto extends Told {
  /** 200: it lives, 410: it is deleted, 404: it is unknown. */
  readonly status: number
  readonly conflicts?: readonly string[]
  /** Of the bytes, as far as they came. */
  readonly bytes?: { readonly status: number; readonly sha256: string; readonly source?: string }
}

/** A volume as it lies on a disk. */
export interface VolumeFile {
  readonly name: string
  readonly byteCount: number
  readonly sha256: string
}

export type Line =
  | {
      readonly type: 'run'
      readonly plan: Plan
      readonly began: string
      readonly node: string
      /** Operations and faults are those of another run, or some of them. */
      readonly isReplay?: true
    }
  | { readonly type: 'phase'; readonly atMs: number; readonly phase: Phase }
  | { readonly type: 'begin'; readonly atMs: number; readonly op: number; readonly node: string; readonly call: Call }
  | {
      readonly type: 'end'
      readonly atMs: number
      readonly op: number
      readonly outcome: Outcome
      readonly status?: number
      readonly code?: string
      readonly told?: Told
      /** How often it was sent again after `ERR_OVERLOADED`. */
      readonly retries?: number
      /** Why there is no answer. */
      readonly error?: string
    }
  | { readonly type: 'node'; readonly atMs: number; readonly node: string; readonly state: NodeState }
  /** The clock of a node was put forward or back; 0: it is right again. */
  | { readonly type: 'clock'; readonly atMs: number; readonly node: string; readonly offsetMs: number }
  | {
      readonly type: 'fault'
      readonly atMs: number
      readonly nemesis: string
      /** Of what it drew for this fault. */
      readonly seed: number
      readonly what: string
      readonly state: 'begins' | 'ends'
      /** Ways that nothing gets along any more. */
      readonly cut?: readonly (readonly [from: string, to: string])[]
    }
  /** Something that the run counts beside its operations, such as packets dropped. */
  | { readonly type: 'count'; readonly name: string; readonly value: number }
  /** The harness itself was late, so that what it measured may be its own doing. */
  | { readonly type: 'lag'; readonly atMs: number; readonly ms: number }
  | { readonly type: 'final'; readonly node: string; readonly photo: string; readonly seen: FinalPhoto }
  /** What a node answered to a search for everything when all was quiet. */
  | ({ readonly type: 'searched'; readonly atMs: number; readonly node: string; readonly status: number } & Told)
  /** An account in the end. */
  | {
      readonly type: 'account'
      readonly node: string
      readonly name: string
      readonly role: string
      readonly state: string
    }
  /** Who may do what with an album in the end, by name. */
  | {
      readonly type: 'shared'
      readonly node: string
      readonly album: string
      readonly owner: string
      readonly roles: Readonly<Record<string, { readonly role: string; readonly isInForce: boolean }>>
    }
  /** Somebody tried in the end to change that, in a way that changes nothing. */
  | {
      readonly type: 'tried'
      readonly node: string
      readonly album: string
      readonly as: string
      readonly status: number
    }
  /** Which photos are in an album in the end, as its owner sees it. */
  | { readonly type: 'filled'; readonly node: string; readonly album: string; readonly photos: readonly string[] }
  /** What somebody sees at a node in the end. */
  | {
      readonly type: 'sight'
      readonly node: string
      readonly as: string
      /** Of the list of all photos; all else is empty where it is not 200. */
      readonly status: number
      readonly photos: readonly string[]
      /** How many there are said to be. */
      readonly total: number
      readonly albums: readonly string[]
      /** The photos that are listed as those of each album, open to him or not. */
      readonly photosIn: Readonly<Record<string, readonly string[]>>
      /** How each photo that anybody has is answered. */
      readonly answers: Readonly<Record<string, { readonly meta: number; readonly bytes: number }>>
    }
  | { readonly type: 'listed'; readonly node: string; readonly photos: readonly string[] }
  /** What lies on the disk of a node once all have ended. */
  | { readonly type: 'disk'; readonly node: string; readonly volumes: readonly VolumeFile[] }
  /** Nodes agree again, so long after the last fault ended. */
  | { readonly type: 'converged'; readonly ms: number }
  /** What needs no judge: a node that ended by itself or does not start, replicas that do not agree. */
  | { readonly type: 'problem'; readonly checker: string; readonly what: string }
  /** Why the run cannot be judged. */
  | { readonly type: 'obstacle'; readonly what: string }

export type LineOf<Type extends Line['type']> = Extract<Line, { type: Type }>

/** A file that holds no history. */
export class HistoryFileError extends Error {
  override readonly name = 'HistoryFileError'
}

/**
 * @returns the lines; the last one is left out where the harness died while it wrote it
 * @throws {@link HistoryFileError} naming the line that is none
 */
export function parseHistory(text: string): Line[] {
  const rows = text.split('\n')
  const last = rows.pop() // empty, or torn
  if (rows.length === 0) throw new HistoryFileError(last === '' ? 'the file is empty' : 'the file has no whole line')
  const lines = rows.map((row, i) => parseLine(row, i + 1))
  if (lines[0]?.type !== 'run') throw new HistoryFileError('line 1: a history begins with its plan')
  return lines
}

export function linesOf<Type extends Line['type']>(lines: readonly Line[], type: Type): readonly LineOf<Type>[] {
  return lines.filter((line): line is LineOf<Type> => line.type === type)
}

function parseLine(row: string, number: number): Line {
  try {
    const line: unknown = JSON.parse(row)
    if (typeof line === 'object' && line !== null && 'type' in line && typeof line.type === 'string')
      return line as Line
  } catch {}
  throw new HistoryFileError(`line ${number} is no line of a history: ${row.slice(0, 80)}`)
}
