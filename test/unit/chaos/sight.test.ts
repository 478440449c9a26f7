import { describe, expect, it } from 'vitest'
import type { LineOf } from '../../../chaos/history.js'
import { ScriptedHistory, shown, uploadNamed } from './scripted-history.js'

const HIDDEN = { outcome: 'failed', status: 404, code: 'ERR_PHOTO_NOT_FOUND' } as const
const PHOTOS = ['mine', 'in', 'out']

/** Album a of p1 with his photo `in`, which others may be given; his photo `out` is in none; `mine` is p4's. */
class SeenHistory extends ScriptedHistory {
  constructor() {
    super()
    this.ask('n1', { kind: 'makeAlbum', title: 'a', as: 'p1' }, { status: 201, told: { album: 'a' } })
    for (const photo of PHOTOS) {
      const as = photo === 'mine' ? 'p4' : 'p1'
      this.ask('n1', { kind: 'upload', ...uploadNamed(photo), as }, { status: 201, told: { photo } })
    }
    this.ask('n1', { kind: 'fill', album: 'a', photo: 'in', as: 'p1' }, { told: { isDone: true } })
    this.pass(20_000)
  }

  give(node: string, to: string): void {
    this.ask(node, { kind: 'share', album: 'a', to, role: 'viewer', as: 'p1' })
  }

  take(node: string, to: string): void {
    this.ask(node, { kind: 'unshare', album: 'a', to, as: 'p1' })
  }

  look(node: string, photo: string, as: string, ending: Partial<LineOf<'end'>> = {}): void {
    this.ask(node, { kind: 'look', photo, as }, { told: shown(photo, { x: 1 }), ...ending })
  }

  list(node: string, as: string, ...photos: readonly string[]): void {
    this.ask(node, { kind: 'list', whole: true, as }, { told: { photos } })
  }

  /** What p4 and the administrator see at a node in the end, where p4 was given a role or not. */
  see(isOpen: boolean, seen: Partial<LineOf<'sight'>> = {}, account: Partial<LineOf<'account'>> = {}): void {
    const open = isOpen ? ['mine', 'in'] : ['mine']
    const answers = PHOTOS.map(photo => [photo, answerOf(open.includes(photo) ? 200 : 404)] as const)
    this.lines.push(
      { type: 'account', node: 'n1', name: 'p4', role: 'user', state: 'open', ...account },
      { type: 'account', node: 'n1', name: 'root', role: 'admin', state: 'open' },
      {
        type: 'shared',
        node: 'n1',
        album: 'a',
        owner: 'p1',
        roles: isOpen ? { p4: { role: 'viewer', isInForce: true } } : {}
      },
      { type: 'filled', node: 'n1', album: 'a', photos: ['in'] },
      {
        type: 'sight',
        node: 'n1',
        as: 'p4',
        status: 200,
        photos: open,
        total: open.length,
        albums: isOpen ? ['a'] : [],
        photosIn: { a: isOpen ? ['in'] : [] },
        answers: Object.fromEntries(answers),
        ...seen
      },
      {
        type: 'sight',
        node: 'n1',
        as: 'root',
        status: 200,
        photos: [],
        total: 0,
        albums: [],
        photosIn: { a: [] },
        answers: Object.fromEntries(PHOTOS.map(photo => [photo, answerOf(404)]))
      }
    )
  }

  found(): string[] {
    return this.verdict()
      .problems.filter(({ checker }) => checker !== 'photos' && checker !== 'set')
      .map(({ checker, what }) => `${checker}: ${what}`)
  }
}

function answerOf(status: number): { readonly meta: number; readonly bytes: number } {
  return { meta: status, bytes: status }
}

describe('of what people see a checker finds nothing wrong', () => {
  it('while they see what they were given, or what may not be known yet to be taken away', () => {
    const history = new SeenHistory()
    history.look('n1', 'out', 'p4', HIDDEN)
    history.look('n1', 'in', 'p4', HIDDEN)
    history.list('n1', 'p4', 'mine')
    history.give('n1', 'p4')
    history.look('n1', 'in', 'p4')
    history.list('n1', 'p4', 'mine', 'in')
    history.ask('n1', { kind: 'shares', album: 'a', as: 'p4' })
    history.take('n1', 'p4')
    history.look('n1', 'in', 'p4', HIDDEN)
    history.look('n2', 'in', 'p4') // may not have heard of it
    history.list('n1', 'p4', 'mine')
    expect(history.found()).toEqual([])
  })

  it('while a photo is asked for that is open to everyone', () => {
    const history = new SeenHistory()
    history.give('n1', 'everyone')
    history.look('n1', 'in', 'p5')
    expect(history.found()).toEqual([])
  })

  it('in the end where all is as roles say', () => {
    for (const isOpen of [true, false]) {
      const history = new SeenHistory()
      if (isOpen) history.give('n1', 'p4')
      history.see(isOpen)
      expect(history.found()).toEqual([])
    }
  })
})

describe('of what people see a checker finds', () => {
  it('photos and albums that are shown to who was never given anything', () => {
    const history = new SeenHistory()
    history.look('n1', 'in', 'p4')
    history.ask('n2', { kind: 'fetch', photo: 'out', as: 'root' }, { told: fetched('out') })
    history.list('n1', 'p4', 'mine', 'out')
    history.ask('n1', { kind: 'shares', album: 'a', as: 'p4' })
    history.look('n1', 'mine', 'p4', { told: { ...shown('mine', { x: 1 }), albums: ['a'] } })
    expect(history.found()).toEqual([
      'sight: look #8 at n1 showed in to p4, to whom it was not open',
      'sight: fetch #9 at n2 showed out to root, to whom it was not open',
      'sight: list #10 at n1 showed out to p4, to whom it was not open',
      'sight: shares #11 at n1 showed a to p4, to whom it was not open',
      'sight: look #12 at n1 showed a to p4, to whom it was not open'
    ])
  })

  it('a photo that is shown to who has another album, and one that was put into one too late', () => {
    const history = new SeenHistory()
    history.ask('n1', { kind: 'makeAlbum', title: 'b', as: 'p1' }, { status: 201, told: { album: 'b' } })
    history.ask('n1', { kind: 'share', album: 'b', to: 'p5', role: 'viewer', as: 'p1' })
    history.look('n1', 'in', 'p5')
    history.ask('n1', { kind: 'fill', album: 'b', photo: 'in', as: 'p1' }, { told: { isDone: true } })
    history.look('n1', 'in', 'p5')
    expect(history.found()).toEqual(['sight: look #10 at n1 showed in to p5, to whom it was not open'])
  })

  it('a photo that a node shows to whose role it has taken away itself', () => {
    const history = new SeenHistory()
    history.give('n1', 'p4')
    history.take('n1', 'p4')
    history.look('n1', 'in', 'p4')
    expect(history.found()).toEqual(['sight: look #10 at n1 showed in to p4, to whom it was not open'])
  })

  it('an own photo that is hidden from its owner', () => {
    const history = new SeenHistory()
    history.look('n1', 'mine', 'p4', HIDDEN)
    expect(history.found().map(problem => problem.split(' ')[0])).toEqual(['session:', 'availability:'])
    const other = new SeenHistory()
    other.list('n1', 'p4')
    expect(other.found()).toEqual([
      'session: list #8 at n1: mine: it is not listed where it was known before, and nobody has deleted it'
    ])
  })

  it.each<[string, Partial<LineOf<'sight'>>, string]>([
    ['a list', { photos: ['mine', 'in'], total: 2 }, 'photos that are listed that are not open: in'],
    ['a list', { photos: [], total: 0 }, 'photos that are listed that are open and missing: mine'],
    ['a total', { total: 3 }, 'p4 at n1 is told of 3 photos, and listed 1'],
    ['a list of albums', { albums: ['a'] }, 'albums that are listed that are not open: a'],
    ['an album', { photosIn: { a: ['in'] } }, 'photos of a that are not open: in'],
    [
      'metadata',
      { answers: { mine: answerOf(200), in: { meta: 200, bytes: 404 }, out: answerOf(404) } },
      'metadata that are not open: in'
    ],
    [
      'bytes',
      { answers: { mine: answerOf(200), in: { meta: 404, bytes: 200 }, out: answerOf(404) } },
      'bytes that are not open: in'
    ],
    [
      'a refusal',
      { answers: { mine: answerOf(200), in: { meta: 403, bytes: 404 }, out: answerOf(404) } },
      'p4 at n1 gets neither 200 nor 404: 403 and 404 for in'
    ],
    ['no list', { status: 503 }, 'p4 at n1 gets 503 for a list']
  ])('%s in the end that is not as roles say', (_, seen, problem) => {
    const history = new SeenHistory()
    history.see(false, seen)
    expect(history.found()).toEqual([expect.stringContaining(problem)])
  })

  it('what is open in the end and not shown', () => {
    const history = new SeenHistory()
    history.give('n1', 'p4')
    history.see(true, {
      photos: ['mine'],
      total: 1,
      albums: [],
      photosIn: { a: [] },
      answers: { mine: answerOf(200), in: answerOf(404), out: answerOf(404) }
    })
    expect(history.found()).toEqual([
      'sight: p4 at n1: photos that are listed that are open and missing: in',
      'sight: p4 at n1: albums that are listed that are open and missing: a',
      'sight: p4 at n1: photos of a that are open and missing: in',
      'sight: p4 at n1: metadata that are open and missing: in',
      'sight: p4 at n1: bytes that are open and missing: in'
    ])
  })

  it('anything that somebody is shown whose account is disabled', () => {
    for (const [status, problems] of [
      [401, []],
      [200, ['sight: p4, whose account is disabled, gets 200 at n1']]
    ] as const) {
      const history = new SeenHistory()
      history.ask('n1', { kind: 'disable', user: 'p4', as: 'root' })
      const answers = Object.fromEntries(PHOTOS.map(photo => [photo, answerOf(401)]))
      history.see(false, { status, photos: [], total: 0, answers }, { state: 'disabled' })
      expect(history.found()).toEqual(problems)
    }
  })
})

function fetched(photo: string): NonNullable<LineOf<'end'>['told']> {
  const { byteCount, sha256 } = uploadNamed(photo)
  return { byteCount, sha256 }
}
