/*
 * What a history tells of accounts, albums and shares, and of what people did with them; sight-checks.ts has what they saw.
 */
import { dueStatus, standingOf } from '../test/checkers/people-rules.js'
import { type Call, type Line, type LineOf, linesOf } from './history.js'
import { askedOf, isOfMany, type SharingHistory } from './sharing-history.js'
import type { Operation } from './timeline.js'

export function checkPeople(
  lines: readonly Line[],
  operations: readonly Operation[],
  history: SharingHistory,
  haveConverged: boolean
): string[] {
  const accounts = linesOf(lines, 'account')
  const shared = linesOf(lines, 'shared')
  const filled = linesOf(lines, 'filled')
  return [
    ...shutOutAndObeyed(operations, history),
    ...revokedAndObeyed(operations, history),
    ...(accounts.length === 0 || !haveConverged
      ? []
      : [
          ...lostOnes(operations, accounts, shared),
          ...misplaced(filled, history),
          ...wrongRoles(accounts, shared, history),
          ...differing(shared, ({ album }) => `shares of ${album}`),
          ...differing(filled, ({ album }) => `photos in ${album}`),
          ...differing(accounts, ({ name }) => `the account ${name}`),
          ...wrongTries(linesOf(lines, 'tried'), accounts, shared)
        ])
  ]
}

/** A node serves nobody whose account it has disabled itself. */
function shutOutAndObeyed(operations: readonly Operation[], history: SharingHistory): string[] {
  return operations.flatMap(operation => {
    const { op, node, call, end } = operation
    const { as } = call
    if (as === undefined || end?.outcome !== 'ok' || !history.knewDisabled(askedOf(operation), as)) return []
    return [`${call.kind} #${op} at ${node} was obeyed, although the account ${as} was disabled there`]
  })
}

/** A node obeys nobody whose right it has taken away itself, or who never had it, unless that may have been given anew. */
function revokedAndObeyed(operations: readonly Operation[], history: SharingHistory): string[] {
  return operations.flatMap(operation => {
    const { op, node, call, end } = operation
    const { as = '' } = call
    if (end?.outcome !== 'ok') return []
    if (call.kind === 'fill' && end.told?.isDone === true) {
      const owner = history.ownerOf(call.photo)
      if (owner !== undefined && owner !== as)
        return [`fill #${op} of ${call.photo} at ${node} was obeyed, although the photo is of ${owner}, not of ${as}`]
    }
    const changes = call.kind === 'share' || (call.kind === 'unshare' && isOfMany(call.to))
    if (!changes || !history.knewNoRole(askedOf(operation), call.album, as)) return []
    return [`${call.kind} #${op} of ${call.album} at ${node} was obeyed, although ${as} has no role in it there`]
  })
}

/** Every account and album of which somebody was told is on every node. */
function lostOnes(
  operations: readonly Operation[],
  accounts: readonly LineOf<'account'>[],
  shared: readonly LineOf<'shared'>[]
): string[] {
  const nodes = new Set(accounts.map(({ node }) => node))
  const has = new Set([
    ...accounts.map(({ node, name }) => `${node} account ${name}`),
    ...shared.map(({ node, album }) => `${node} album ${album}`)
  ])
  const told = operations.flatMap(({ call, end }) => {
    if (end?.outcome !== 'ok') return []
    if (call.kind === 'makeUser') return [`account ${call.name}`]
    return call.kind === 'makeAlbum' ? [`album ${end.told?.album}`] : []
  })
  return [...nodes].flatMap(node =>
    told.filter(what => !has.has(`${node} ${what}`)).map(what => `${node} lacks the ${what}, which was acknowledged`)
  )
}

/** What was put into an album is in it, and what nobody put there, or was taken out, is not. */
function misplaced(filled: readonly LineOf<'filled'>[], history: SharingHistory): string[] {
  return filled.flatMap(({ node, album, photos }) => {
    const there = new Set(photos)
    const isIn = new Set([...photos, ...history.photosPutInto(album)])
    return [...isIn].flatMap(photo => {
      const due = history.isIn(photo, album)
      if (due === undefined || due === there.has(photo)) return []
      return due
        ? [`${node} lacks the photo ${photo} in ${album}, which was acknowledged`]
        : [`${node} has the photo ${photo} in ${album}, where it was not put, or from where it was taken`]
    })
  })
}

/** What is shown of roles and states may have come of what was asked for. */
function wrongRoles(
  accounts: readonly LineOf<'account'>[],
  shared: readonly LineOf<'shared'>[],
  history: SharingHistory
): string[] {
  const problems: string[] = []
  const check = (what: string, shown: string, possible: ReadonlySet<string>): void => {
    if (!possible.has(shown)) problems.push(`${what} is ${shown}, and can only be ${[...possible].join(' or ')}`)
  }
  for (const { node, name, role, state } of accounts.filter(({ name }) => history.changed.includes(name))) {
    check(`the role of ${name} at ${node}`, role, history.accountRoles(name))
    check(`the state of ${name} at ${node}`, state, history.accountStates(name))
  }
  for (const { node, album, roles } of shared)
    for (const name of history.namesIn(album))
      check(`the role of ${name} in ${album} at ${node}`, roles[name]?.role ?? 'none', history.rolesIn(album, name))
  return problems
}

/** Nobody can do on a node what it says that he may not, and everybody what it says that he may. */
function wrongTries(
  tried: readonly LineOf<'tried'>[],
  accounts: readonly LineOf<'account'>[],
  shared: readonly LineOf<'shared'>[]
): string[] {
  return tried.flatMap(({ node, album, as, status }) => {
    const account = accounts.find(one => one.node === node && one.name === as)
    const sharing = shared.find(one => one.node === node && one.album === album)
    if (account === undefined || sharing === undefined) return []
    const due = dueStatus({ ...account, inAlbum: standingOf(sharing, as) })
    return status === due ? [] : [`${as} gets ${status} for sharing ${album} at ${node}, and ${due} is due`]
  })
}

/** All nodes tell the same. */
function differing<Told extends { readonly node: string }>(
  told: readonly Told[],
  nameOf: (one: Told) => string
): string[] {
  const shown = new Map<string, Map<string, string[]>>()
  for (const one of told) {
    const { node, ...rest } = one
    const texts = shown.get(nameOf(one)) ?? new Map<string, string[]>()
    const text = JSON.stringify(rest)
    shown.set(nameOf(one), texts.set(text, [...(texts.get(text) ?? []), node]))
  }
  return [...shown].flatMap(([name, texts]) =>
    texts.size === 1
      ? []
      : [`${name}: ${[...texts].map(([text, nodes]) => `${text} at ${nodes.join(' ')}`).join(', ')}`]
  )
}

/** Whether a person may be refused, since a right may have been taken away from him, or was never given. */
export function mayBeRefused(operation: Operation, history: SharingHistory): boolean {
  const { call } = operation
  const { as } = call
  if (as === undefined) return false
  if (isChangeOfAlbum(call) && history.makerOf(call.album) !== as) return true
  return history.mayHaveChanged(as, askedOf(operation).endedMs)
}

/** Whether what is asked for may be hidden from who asks: all that is another one's. */
export function mayBeHidden({ call }: Operation, history: SharingHistory): boolean {
  const { as } = call
  if (as === undefined) return false
  if ('album' in call) return history.makerOf(call.album) !== as
  return 'photo' in call && history.ownerOf(call.photo) !== as
}

/** Whether somebody who is given a role may be no one any more. */
export function mayBeNobody(operation: Operation, history: SharingHistory): boolean {
  const { call } = operation
  return call.kind === 'share' && history.mayHaveDisabled(call.to, askedOf(operation).endedMs)
}

function isChangeOfAlbum(
  call: Call
): call is Extract<Call, { readonly kind: 'share' | 'unshare' | 'fill' | 'takeOut' }> {
  return call.kind === 'share' || call.kind === 'unshare' || call.kind === 'fill' || call.kind === 'takeOut'
}
