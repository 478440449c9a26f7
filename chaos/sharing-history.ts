import { possibleValues, type Register, type Setting } from '../test/checkers/people-rules.js'
import type { Call, LineOf } from './history.js'
import type { Operation, Timeline } from './timeline.js'

const ALBUM_ROLE: Register = {
  order: ['none', 'viewer', 'contributor', 'manager'],
  initial: 'none',
  isLeastIdle: true
}
const ACCOUNT_ROLE: Register = { order: ['guest', 'user'], initial: 'user', isLeastIdle: true }
const NEVER = Number.POSITIVE_INFINITY

/** A moment at a node. */
export interface Asked {
  readonly node: string
  readonly beganMs: number
  /** Infinity where there was no answer. */
  readonly endedMs: number
}

/** Somebody asked for that; he was told that it was done, or it may have been done. */
interface Change extends Asked {
  readonly album: string
  readonly isIn: boolean
}

/** What a history tells of who was given what: whose photos and albums are, where photos were put, who was given which role. */
export class SharingHistory {
  readonly #timeline: Timeline
  readonly #owners = new Map<string, string>()
  readonly #makers = new Map<string, string>()
  readonly #changes = new Map<string, Change[]>()
  /** By what it is that was set. */
  readonly #settings = new Map<string, Setting[]>()

  /** @param finals - which tell of photos whose upload was not answered */
  constructor(timeline: Timeline, finals: readonly LineOf<'final'>[]) {
    this.#timeline = timeline
    const uploads = new Map<string, string>()
    for (const { call, end } of timeline.operations) {
      if (call.as === undefined) continue
      if (call.kind === 'upload') uploads.set(call.sha256, call.as)
      if (call.kind === 'upload' && end?.told?.photo !== undefined) this.#owners.set(end.told.photo, call.as)
      if (call.kind === 'makeAlbum' && end?.told?.album !== undefined) this.#makers.set(end.told.album, call.as)
    }
    for (const { photo, seen } of finals) {
      const owner = uploads.get(seen.sha256 ?? '')
      if (owner !== undefined) this.#owners.set(photo, owner)
    }
    for (const operation of timeline.operations) if (operation.end?.outcome !== 'failed') this.#note(operation)
  }

  /** @returns undefined: not known, or nobody's */
  ownerOf(photo: string): string | undefined {
    return this.#owners.get(photo)
  }

  /** @returns undefined: not known */
  makerOf(album: string): string | undefined {
    return this.#makers.get(album)
  }

  /** What a role in an album may be once all nodes have merged all. */
  rolesIn(album: string, name: string): ReadonlySet<string> {
    return possibleValues(this.#of(roleName(album, name)), ALBUM_ROLE)
  }

  /** Who else than its owner was given a role in an album one by one, or lost it. */
  namesIn(album: string): readonly string[] {
    const start = roleName(album, '')
    const names = [...this.#settings.keys()].filter(key => key.startsWith(start)).map(key => key.slice(start.length))
    return names.filter(name => !isOfMany(name))
  }

  /** Whose accounts were changed. */
  get changed(): readonly string[] {
    const keys = [...this.#settings.keys()].filter(key => /^(account|state) /.test(key))
    return [...new Set(keys.map(key => key.slice(key.indexOf(' ') + 1)))]
  }

  accountRoles(name: string): ReadonlySet<string> {
    return possibleValues(this.#of(`account ${name}`), ACCOUNT_ROLE)
  }

  /** Accounts that are disabled stay so. */
  accountStates(name: string): ReadonlySet<string> {
    const settings = this.#of(`state ${name}`)
    const mayBe = settings.some(({ endedMs }) => Number.isFinite(endedMs)) ? [] : ['open']
    return new Set([...mayBe, ...settings.map(({ value }) => value)])
  }

  /** Whether somebody may have disabled the account by then. */
  mayHaveDisabled(name: string, byMs: number): boolean {
    return this.#of(`state ${name}`).some(({ beganMs }) => beganMs <= byMs)
  }

  /** Whether somebody may have disabled the account by then, or given it another role. */
  mayHaveChanged(name: string, byMs: number): boolean {
    return this.mayHaveDisabled(name, byMs) || this.#of(`account ${name}`).some(({ beganMs }) => beganMs <= byMs)
  }

  /** Whether the node itself had disabled the account before it was asked. */
  knewDisabled({ node, beganMs }: Asked, name: string): boolean {
    const life = this.#timeline.lifeOf(node, beganMs)
    return this.#of(`state ${name}`).some(one => one.node === life && one.endedMs <= beganMs)
  }

  /** Whether somebody certainly had no role of his own in an album there: he was never given one, or the node itself took it away. */
  knewNoRole({ node, beganMs, endedMs }: Asked, album: string, name: string): boolean {
    const maker = this.makerOf(album)
    if (maker === undefined || maker === name) return false
    const roles = this.#of(roleName(album, name)).filter(one => one.beganMs <= endedMs)
    const possible = possibleValues(roles, ALBUM_ROLE)
    if (possible.size > 1 || !possible.has('none')) return false
    const life = this.#timeline.lifeOf(node, beganMs)
    const last = roles.at(-1)
    return roles.every(({ value }) => value === 'none') || (last?.node === life && last.endedMs <= beganMs)
  }

  /** Whether an album certainly was closed there to somebody. */
  knewClosed(asked: Asked, album: string, name: string): boolean {
    // managers give to everyone as well, and whoever takes their role away gives it anew
    const isOfAll = this.#of(roleName(album, 'everyone')).some(
      ({ value, beganMs }) => value !== 'none' && beganMs <= asked.endedMs
    )
    return !isOfAll && this.knewNoRole(asked, album, name)
  }

  /** Whether somebody certainly was not to see a photo there. */
  knewHidden(asked: Asked, photo: string, name: string): boolean {
    const owner = this.ownerOf(photo)
    if (owner === undefined || owner === name) return false
    return this.albumsOf(photo, asked.endedMs).every(album => this.knewClosed(asked, album, name))
  }

  /** Albums into which a photo may have been put by then. */
  albumsOf(photo: string, byMs: number = NEVER): readonly string[] {
    const changes = this.#changesOf(photo).filter(({ isIn, beganMs }) => isIn && beganMs <= byMs)
    return [...new Set(changes.map(({ album }) => album))]
  }

  photosPutInto(album: string): readonly string[] {
    return [...this.#changes.keys()].filter(photo => this.albumsOf(photo).includes(album))
  }

  /** Whether a photo is in an album for certain, or not, once all nodes have merged all; undefined: it may be. */
  isIn(photo: string, album: string): boolean | undefined {
    const changes = this.#changesOf(photo).filter(one => one.album === album)
    const [puts, takes] = [changes.filter(({ isIn }) => isIn), changes.filter(({ isIn }) => !isIn)]
    if (puts.length === 0) return false
    if (takes.length === 0) return puts.some(({ endedMs }) => Number.isFinite(endedMs)) ? true : undefined
    // taking it out is of what the node knows
    const isOut = takes.some(
      take => Number.isFinite(take.endedMs) && puts.every(put => put.node === take.node && put.endedMs <= take.beganMs)
    )
    return isOut ? false : undefined
  }

  #note(operation: Operation): void {
    const { call, node, beganMs, end } = operation
    const life = this.#timeline.lifeOf(node, beganMs)
    const endedMs = end?.outcome === 'ok' ? end.atMs : NEVER
    const setting = settingIn(call)
    if (setting !== undefined) {
      const [name, value] = setting
      this.#settings.set(name, [...this.#of(name), { value, node: life, beganMs, endedMs }])
    }
    // what another one than its owner puts somewhere is a fault by itself
    const isPut = call.kind === 'fill' && call.as === this.ownerOf(call.photo)
    if (!isPut && call.kind !== 'takeOut') return
    const isDone = end?.told?.isDone === true
    const change = { album: call.album, isIn: isPut, node: life, beganMs, endedMs: isDone ? endedMs : NEVER }
    this.#changes.set(call.photo, [...this.#changesOf(call.photo), change])
  }

  #changesOf(photo: string): readonly Change[] {
    return this.#changes.get(photo) ?? []
  }

  #of(name: string): readonly Setting[] {
    return this.#settings.get(name) ?? []
  }
}

/** Whether a role is given to more than one person. */
export function isOfMany(name: string): boolean {
  return name === 'everyone' || name === 'public'
}

/** @returns when somebody asked, and whom */
export function askedOf({ node, beganMs, end }: Operation): Asked {
  return { node, beganMs, endedMs: end?.atMs ?? NEVER }
}

/** @returns what it sets, and to what */
function settingIn(call: Call): readonly [name: string, value: string] | undefined {
  switch (call.kind) {
    case 'share':
      return [roleName(call.album, call.to), call.role]
    case 'unshare':
      return [roleName(call.album, call.to), 'none']
    case 'setRole':
      return [`account ${call.user}`, call.role]
    case 'disable':
      return [`state ${call.user}`, 'disabled']
    default:
      return undefined
  }
}

function roleName(album: string, name: string): string {
  return `role ${album} ${name}`
}
