import { describe, expect, it } from 'vitest'
import type { Call, LineOf } from '../../../chaos/history.js'
import { ScriptedHistory, uploadNamed } from './scripted-history.js'

const FORBIDDEN = { outcome: 'failed', status: 403, code: 'ERR_FORBIDDEN' } as const
const HIDDEN = { outcome: 'failed', status: 404, code: 'ERR_ALBUM_NOT_FOUND' } as const
const ALBUM = 'a'

/** Album a of p1, made at n1; what is done to it is said by the test. */
class SharedHistory extends ScriptedHistory {
  constructor() {
    super()
    this.ask('n1', { kind: 'makeAlbum', title: 'a', as: 'p1' }, { status: 201, told: { album: ALBUM } })
    this.pass(20_000)
  }

  give(node: string, to: string, role: string, ending: Partial<LineOf<'end'>> = {}): void {
    this.ask(node, { kind: 'share', album: ALBUM, to, role, as: 'p1' }, ending)
  }

  take(node: string, to: string): void {
    this.ask(node, { kind: 'unshare', album: ALBUM, to, as: 'p1' })
  }

  /** Somebody shares it with everyone. */
  try(node: string, as: string, ending: Partial<LineOf<'end'>> = {}): void {
    this.ask(node, { kind: 'share', album: ALBUM, to: 'everyone', role: 'viewer', as }, ending)
  }

  /** p1 uploads a photo. */
  photo(node: string, photo: string): void {
    this.ask(node, { kind: 'upload', ...uploadNamed(photo), as: 'p1' }, { status: 201, told: { photo } })
  }

  put(node: string, photo: string, as = 'p1', ending: Partial<LineOf<'end'>> = {}): void {
    this.ask(node, { kind: 'fill', album: ALBUM, photo, as }, { told: { isDone: true }, ...ending })
  }

  takeOut(node: string, photo: string): void {
    this.ask(node, { kind: 'takeOut', album: ALBUM, photo, as: 'p1' }, { told: { isDone: true } })
  }

  /** What the owner of the album sees in it in the end. */
  filled(node: string, ...photos: readonly string[]): void {
    this.lines.push({ type: 'filled', node, album: ALBUM, photos })
  }

  as(node: string, call: Call): void {
    this.ask(node, { ...call, as: 'root' })
  }

  /** What a node shows in the end of roles in the album and of accounts. */
  show(node: string, roles: Readonly<Record<string, string>>, account: Partial<LineOf<'account'>> = {}): void {
    const given = Object.entries(roles).map(([name, role]) => [name, { role, isInForce: true }] as const)
    this.lines.push(
      { type: 'account', node, name: 'p1', role: 'user', state: 'open' },
      { type: 'account', node, name: 'p4', role: 'user', state: 'open', ...account },
      { type: 'shared', node, album: ALBUM, owner: 'p1', roles: Object.fromEntries(given) }
    )
  }

  tried(node: string, as: string, status: number): void {
    this.lines.push({ type: 'tried', node, album: ALBUM, as, status })
  }

  found(): string[] {
    return this.verdict().problems.map(({ checker, what }) => `${checker}: ${what}`)
  }
}

describe('of people a checker finds nothing wrong', () => {
  it('where roles are what was given, and nobody else may share', () => {
    const history = new SharedHistory()
    history.give('n1', 'p4', 'manager')
    history.try('n1', 'p4')
    history.take('n1', 'p4')
    history.try('n1', 'p4', HIDDEN)
    history.give('n1', 'p6', 'viewer')
    history.try('n1', 'p6', FORBIDDEN)
    history.give('n2', 'p5', 'viewer')
    for (const node of ['n1', 'n2']) {
      history.show(node, { p5: 'viewer', p6: 'viewer', everyone: 'viewer' })
      history.tried(node, 'p1', 200)
      history.tried(node, 'p4', 403)
    }
    expect(history.found()).toEqual([])
  })

  it('where who has no role is told that there is no album, and photos are where they were put', () => {
    const history = new SharedHistory()
    for (const photo of ['in', 'out', 'maybe']) {
      history.photo('n1', photo)
      history.put('n1', photo)
    }
    history.put('n1', 'in', 'p4', HIDDEN)
    history.takeOut('n1', 'out')
    history.takeOut('n2', 'maybe') // which may not have heard of it
    for (const node of ['n1', 'n2']) {
      history.show(node, {})
      history.filled(node, 'in', 'maybe')
      history.tried(node, 'p4', 404)
    }
    expect(history.found()).toEqual([])
  })
})

describe('of a node whose files were harmed a checker', () => {
  it('takes a role that it gives to be of the same time as what it knew before', () => {
    for (const [isHarmed, problems] of [
      [true, []],
      [
        false,
        [
          'people: the role of p4 in a at n1 is viewer, and can only be manager',
          'people: the role of p4 in a at n2 is viewer, and can only be manager'
        ]
      ]
    ] as const) {
      const history = new SharedHistory()
      history.give('n1', 'p4', 'viewer')
      if (isHarmed) for (const state of ['stopping', 'damaged', 'up'] as const) history.node('n1', state)
      history.give('n1', 'p4', 'manager')
      for (const node of ['n1', 'n2']) history.show(node, { p4: 'viewer' })
      expect(history.found()).toEqual(problems)
    }
  })

  it('lets it obey whose right it had taken away before', () => {
    for (const [harmed, problems] of [
      ['n1', 0],
      ['n2', 1]
    ] as const) {
      const history = new SharedHistory()
      history.give('n1', 'p4', 'manager')
      history.take('n1', 'p4')
      for (const state of ['stopping', 'damaged', 'up'] as const) history.node(harmed, state)
      history.try('n1', 'p4')
      expect(history.found()).toHaveLength(problems)
    }
  })
})

describe('of people a checker finds', () => {
  it('somebody who is not known, unless a clock is wrong there or files were harmed', () => {
    const refused = { outcome: 'failed', status: 401, code: 'ERR_UNAUTHENTICATED' } as const
    const history = new SharedHistory()
    history.clock('n1', 3_600_000)
    history.ask('n1', { kind: 'shares', album: ALBUM, as: 'p1' }, refused)
    history.clock('n1', 0)
    for (const state of ['stopping', 'damaged', 'up'] as const) history.node('n2', state)
    history.ask('n2', { kind: 'shares', album: ALBUM, as: 'p1' }, refused)
    expect(history.found()).toEqual([])
    history.ask('n1', { kind: 'shares', album: ALBUM, as: 'p1' }, refused)
    expect(history.found().map(problem => problem.split(':')[0])).toEqual(['availability'])
  })

  it('a role that came back after it was taken away', () => {
    const history = new SharedHistory()
    history.give('n1', 'p4', 'manager')
    history.take('n1', 'p4')
    for (const node of ['n1', 'n2']) history.show(node, { p4: 'manager' })
    expect(history.found()).toEqual([
      'people: the role of p4 in a at n1 is manager, and can only be none',
      'people: the role of p4 in a at n2 is manager, and can only be none'
    ])
  })

  it('a role that was lost', () => {
    const history = new SharedHistory()
    history.give('n1', 'p4', 'viewer')
    for (const node of ['n1', 'n2']) history.show(node, {})
    expect(history.found()).toContain('people: the role of p4 in a at n1 is none, and can only be viewer')
  })

  it('one that is obeyed at the node that took his right away, and not where it may have been given anew', () => {
    const history = new SharedHistory()
    history.give('n1', 'p4', 'manager')
    history.take('n1', 'p4')
    history.try('n2', 'p4') // may not have heard of it
    history.try('n1', 'p4')
    const problem = 'people: share #7 of a at n1 was obeyed, although p4 has no role in it there'
    expect(history.found()).toEqual([problem])
    history.give('n2', 'p4', 'manager')
    history.try('n1', 'p4')
    history.try('n1', 'p5')
    expect(history.found()).toEqual([
      problem,
      'people: share #10 of a at n1 was obeyed, although p5 has no role in it there'
    ])
  })

  it('one that is obeyed with an account that the node has disabled', () => {
    const history = new SharedHistory()
    history.give('n1', 'p4', 'manager')
    history.as('n1', { kind: 'disable', user: 'p4' })
    history.try('n1', 'p4')
    history.try('n2', 'p4') // may not have heard of it
    history.ask('n1', { kind: 'list', whole: true, as: 'p4' })
    expect(history.found()).toEqual([
      'people: share #6 at n1 was obeyed, although the account p4 was disabled there',
      'people: list #8 at n1 was obeyed, although the account p4 was disabled there'
    ])
  })

  it('an account that is open again, and one whose lesser role was forgotten', () => {
    const history = new SharedHistory()
    history.as('n1', { kind: 'disable', user: 'p4' })
    history.as('n1', { kind: 'setRole', user: 'p4', role: 'guest' })
    for (const node of ['n1', 'n2']) history.show(node, {})
    expect(history.found()).toEqual(
      expect.arrayContaining([
        'people: the role of p4 at n1 is user, and can only be guest',
        'people: the state of p4 at n1 is open, and can only be disabled'
      ])
    )
  })

  it('an account and an album that were lost', () => {
    const history = new SharedHistory()
    history.as('n1', { kind: 'makeUser', name: 'new' })
    history.show('n1', {})
    history.lines.push({ type: 'account', node: 'n2', name: 'new', role: 'user', state: 'open' })
    expect(history.found()).toEqual([
      'people: n1 lacks the account new, which was acknowledged',
      'people: n2 lacks the album a, which was acknowledged'
    ])
  })

  it('a photo that an album has lost, one that came back, and one that nobody has put there', () => {
    const history = new SharedHistory()
    for (const photo of ['lost', 'back', 'other']) history.photo('n1', photo)
    for (const photo of ['lost', 'back']) history.put('n1', photo)
    history.takeOut('n1', 'back')
    for (const node of ['n1', 'n2']) {
      history.show(node, {})
      history.filled(node, 'back', 'other')
    }
    const where = 'in a, where it was not put, or from where it was taken'
    expect(history.found()).toEqual(
      ['n1', 'n2'].flatMap(node => [
        `people: ${node} has the photo back ${where}`,
        `people: ${node} has the photo other ${where}`,
        `people: ${node} lacks the photo lost in a, which was acknowledged`
      ])
    )
  })

  it('nodes that show different photos in an album', () => {
    const history = new SharedHistory()
    history.photo('n1', 'p')
    history.put('n1', 'p')
    history.takeOut('n2', 'p')
    for (const node of ['n1', 'n2']) history.show(node, {})
    history.filled('n1', 'p')
    history.filled('n2')
    expect(history.found()).toEqual([expect.stringContaining('people: photos in a: ')])
  })

  it('a photo that another one than its owner puts into an album', () => {
    const history = new SharedHistory()
    history.photo('n1', 'p')
    history.give('n1', 'p4', 'manager')
    history.put('n1', 'p', 'p4')
    expect(history.found()).toEqual(['people: fill #6 of p at n1 was obeyed, although the photo is of p1, not of p4'])
  })

  it('nodes that tell different shares, and different accounts', () => {
    const history = new SharedHistory()
    history.give('n1', 'p4', 'viewer')
    history.give('n2', 'p4', 'manager')
    history.show('n1', { p4: 'viewer' })
    history.show('n2', { p4: 'manager' }, { role: 'guest' })
    expect(history.found().map(problem => problem.split(': {')[0])).toEqual([
      'people: shares of a',
      'people: the account p4'
    ])
  })

  it('one whose write is obeyed although the node says that he may not, and the other way round', () => {
    const history = new SharedHistory()
    history.show('n1', {})
    history.tried('n1', 'p4', 200)
    history.tried('n1', 'p1', 403)
    expect(history.found()).toEqual([
      'people: p4 gets 200 for sharing a at n1, and 404 is due',
      'people: p1 gets 403 for sharing a at n1, and 200 is due'
    ])
  })

  it('an owner who is refused, but not one who may be nobody any more', () => {
    const history = new SharedHistory()
    history.give('n1', 'p4', 'viewer', FORBIDDEN)
    history.give('n1', 'p4', 'viewer', HIDDEN)
    expect(history.found()).toEqual([
      expect.stringContaining('availability: share #4 at n1'),
      expect.stringContaining('availability: share #5 at n1')
    ])
    const other = new SharedHistory()
    other.as('n1', { kind: 'disable', user: 'p4' })
    other.give('n1', 'p4', 'viewer', { outcome: 'failed', status: 404, code: 'ERR_USER_NOT_FOUND' })
    expect(other.found()).toEqual([])
  })
})
