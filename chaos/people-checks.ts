/*
 * What a history tells of accounts, albums and shares: the one place of these checks. So far only who may change something is
 * checked, since whoever has an account sees all.
 */
import { dueStatus, possibleValues, type Register, type Setting } from '../test/checkers/people-rules.js'
import { type Line, type LineOf, linesOf } from './history.js'
import type { Operation, Timeline } from './timeline.js'

const ALBUM_ROLE: Register = {
  order: ['none', 'viewer', 'contributor', 'manager'],
  initial: 'none',
  isLeastIdle: true
}
const ACCOUNT_ROLE: Register = { order: ['guest', 'user'], initial: 'user', isLeastIdle: true }

export function checkPeople(lines: readonly Line[], timeline: Timeline, haveConverged: boolean): string[] {
  const accounts = linesOf(lines, 'account')
  const shared = linesOf(lines, 'shared')
  return [
    ...revokedAndObeyed(timeline),
    ...(accounts.length === 0 || !haveConverged
      ? []
      : [
          ...lostOnes(lines, timeline, accounts, shared),
          ...wrongRoles(timeline, accounts, shared),
          ...differing(shared, ({ album }) => `shares of ${album}`),
          ...differing(accounts, ({ name }) => `the account ${name}`),
          ...wrongTries(linesOf(lines, 'tried'), accounts, shared)
        ])
  ]
}

/** A node obeys nobody whose right it has taken away itself, or who never had it, unless that may have been given anew. */
function revokedAndObeyed(timeline: Timeline): string[] {
  return timeline.operations.flatMap(({ op, node, call, beganMs, end }) => {
    if (call.kind !== 'share' || call.to !== 'everyone' || end?.outcome !== 'ok') return []
    const { as = '' } = call
    const life = timeline.lifeOf(node, beganMs)
    const isBefore = (one: Setting): boolean => one.node === life && one.endedMs <= beganMs
    const roles = settingsOf(timeline, other => roleIn(other, call.album, as)).filter(one => one.beganMs <= end.atMs)
    const possible = possibleValues(roles, ALBUM_ROLE)
    const knows = roles.every(({ value }) => value === 'none') || isBefore(roles.at(-1) as Setting)
    const hasNone = possible.size === 1 && possible.has('none') && knows
    const isDisabled = settingsOf(timeline, other => stateOf(other, as)).some(isBefore)
    if (!hasNone && !isDisabled) return []
    const why = isDisabled ? `the account ${as} was disabled there` : `${as} has no role in it there`
    return [`share #${op} of ${call.album} at ${node} was obeyed, although ${why}`]
  })
}

/** Every account and album of which somebody was told is on every node, and so is every photo that was put into one. */
function lostOnes(
  lines: readonly Line[],
  { operations }: Timeline,
  accounts: readonly LineOf<'account'>[],
  shared: readonly LineOf<'shared'>[]
): string[] {
  const nodes = new Set(accounts.map(({ node }) => node))
  const has = new Set([
    ...accounts.map(({ node, name }) => `${node} account ${name}`),
    ...shared.map(({ node, album }) => `${node} album ${album}`),
    ...linesOf(lines, 'final').flatMap(({ node, photo, seen }) =>
      (seen.albums ?? []).map(album => `${node} photo ${photo} in ${album}`)
    )
  ])
  const told = operations.flatMap(({ call, end }) => {
    if (end?.outcome !== 'ok') return []
    if (call.kind === 'makeUser') return [`account ${call.name}`]
    if (call.kind === 'makeAlbum') return [`album ${end.told?.album}`]
    return call.kind === 'fill' && end.told?.isFilled ? [`photo ${call.photo} in ${call.album}`] : []
  })
  return [...nodes].flatMap(node =>
    told.filter(what => !has.has(`${node} ${what}`)).map(what => `${node} lacks the ${what}, which was acknowledged`)
  )
}

/** What is shown of roles and states may have come of what was asked for. */
function wrongRoles(
  timeline: Timeline,
  accounts: readonly LineOf<'account'>[],
  shared: readonly LineOf<'shared'>[]
): string[] {
  const { operations } = timeline
  const problems: string[] = []
  const check = (what: string, shown: string, possible: ReadonlySet<string>): void => {
    if (!possible.has(shown)) problems.push(`${what} is ${shown}, and can only be ${[...possible].join(' or ')}`)
  }
  const asked = new Set(operations.flatMap(({ call }) => ('user' in call ? [call.user] : [])))
  for (const { node, name, role, state } of accounts.filter(account => asked.has(account.name))) {
    const roles = settingsOf(timeline, operation => accountRole(operation, name))
    check(`the role of ${name} at ${node}`, role, possibleValues(roles, ACCOUNT_ROLE))
    const states = settingsOf(timeline, operation => stateOf(operation, name))
    const mayBe = states.some(({ endedMs }) => Number.isFinite(endedMs)) ? [] : ['open']
    check(`the state of ${name} at ${node}`, state, new Set([...mayBe, ...states.map(({ value }) => value)]))
  }
  for (const { node, album, roles } of shared) {
    const people = new Set(
      operations.flatMap(({ call }) =>
        (call.kind === 'share' || call.kind === 'unshare') && call.album === album && call.to !== 'everyone'
          ? [call.to]
          : []
      )
    )
    for (const name of people) {
      const settings = settingsOf(timeline, operation => roleIn(operation, album, name))
      check(
        `the role of ${name} in ${album} at ${node}`,
        roles[name]?.role ?? 'none',
        possibleValues(settings, ALBUM_ROLE)
      )
    }
  }
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
    const given = sharing.roles[as]
    const inAlbum = given?.isInForce ? given.role : undefined
    const due = dueStatus({ ...account, isOwner: sharing.owner === as, inAlbum })
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
export function mayBeRefused({ call, end }: Operation, operations: readonly Operation[]): boolean {
  if (!('as' in call) || call.as === undefined) return false
  if (call.kind === 'share' && call.to === 'everyone') return true
  return operations.some(
    other => (accountRole(other, call.as as string) ?? stateOf(other, call.as as string)) && begins(other, end)
  )
}

/** Whether somebody who is given a role may be no one any more. */
export function mayBeNobody({ call, end }: Operation, operations: readonly Operation[]): boolean {
  return call.kind === 'share' && operations.some(other => stateOf(other, call.to) !== undefined && begins(other, end))
}

function begins({ beganMs, end }: Operation, before: LineOf<'end'> | undefined): boolean {
  return end?.outcome !== 'failed' && beganMs <= (before?.atMs ?? Number.POSITIVE_INFINITY)
}

/** What was set, where and when; a node whose files were harmed is another one from then on. */
function settingsOf(timeline: Timeline, valueIn: (operation: Operation) => string | undefined): readonly Setting[] {
  return timeline.operations.flatMap(operation => {
    const value = valueIn(operation)
    const { node, beganMs, end } = operation
    if (value === undefined || end?.outcome === 'failed') return []
    return [
      {
        value,
        node: timeline.lifeOf(node, beganMs),
        beganMs,
        endedMs: end?.outcome === 'ok' ? end.atMs : Number.POSITIVE_INFINITY
      }
    ]
  })
}

function roleIn({ call }: Operation, album: string, name: string): string | undefined {
  if (call.kind === 'share' && call.album === album && call.to === name) return call.role
  return call.kind === 'unshare' && call.album === album && call.to === name ? 'none' : undefined
}

function accountRole({ call }: Operation, name: string): string | undefined {
  return call.kind === 'setRole' && call.user === name ? call.role : undefined
}

function stateOf({ call }: Operation, name: string): string | undefined {
  return call.kind === 'disable' && call.user === name ? 'disabled' : undefined
}
