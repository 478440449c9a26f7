import { describe, expect, it } from 'vitest'
import {
  dueSight,
  dueStatus,
  possibleValues,
  type Register,
  type Setting,
  standingOf
} from '../../checkers/people-rules.js'

const ROLE: Register = { order: ['none', 'viewer', 'manager'], initial: 'none', isLeastIdle: true }
const NEVER = Number.POSITIVE_INFINITY

function set(value: string, node: string, beganMs: number, endedMs = beganMs + 1): Setting {
  return { value, node, beganMs, endedMs }
}

function possible(...settings: readonly Setting[]): string[] {
  return [...possibleValues(settings, ROLE)].sort()
}

describe('what was set', () => {
  it('is the initial value where nobody is known to have set it', () => {
    expect(possible()).toEqual(['none'])
    expect(possible(set('viewer', 'n1', 0, NEVER))).toEqual(['none', 'viewer'])
  })

  it('is what a node was asked for last, as far as it knows', () => {
    expect(possible(set('viewer', 'n1', 0), set('manager', 'n1', 10))).toEqual(['manager'])
    expect(possible(set('viewer', 'n1', 0, 20), set('manager', 'n1', 10))).toEqual(['manager', 'viewer'])
    expect(possible(set('viewer', 'n1', 0), set('manager', 'n1', 10, NEVER))).toEqual(['manager', 'viewer'])
  })

  it('is either of what was set at two nodes, of which one may not have seen the other', () => {
    expect(possible(set('viewer', 'n1', 0), set('manager', 'n2', 10))).toEqual(['manager', 'viewer'])
  })

  it('is taken away for good by who takes it away last and knew that it was there', () => {
    expect(possible(set('viewer', 'n1', 0), set('manager', 'n2', 10), set('none', 'n1', 20))).toEqual(['none'])
    expect(possible(set('manager', 'n2', 10, NEVER), set('viewer', 'n1', 0), set('none', 'n1', 20))).toEqual([
      'manager',
      'none'
    ])
  })

  it('may stay where who takes it away knew of nothing', () => {
    expect(possible(set('manager', 'n2', 10), set('none', 'n1', 20))).toEqual(['manager', 'none'])
    // n1 may have seen that the role was taken away before
    const settings = [set('viewer', 'n1', 0), set('none', 'n2', 5), set('manager', 'n2', 10), set('none', 'n1', 20)]
    expect(possible(...settings)).toEqual(['manager', 'none'])
  })
})

const MANAGER = { role: 'manager', isInForce: true }
const VIEWER = { role: 'viewer', isInForce: true }

describe('what somebody is in an album', () => {
  it('is the greatest of what was given to him and to all, as far as it is in force', () => {
    const roles = { p2: MANAGER, p3: { ...MANAGER, isInForce: false }, everyone: VIEWER }
    const of = (name: string) => standingOf({ owner: 'p1', roles }, name)
    expect(['p1', 'p2', 'p3', 'p4'].map(of)).toEqual(['owner', 'manager', 'viewer', 'viewer'])
    expect(standingOf({ owner: 'p1', roles: { p2: MANAGER } }, 'p3')).toBe('none')
  })
})

describe('who wants to share an album', () => {
  const account = { role: 'user', state: 'open' }

  it('may as its owner or as a manager', () => {
    expect(dueStatus({ ...account, inAlbum: 'owner' })).toBe(200)
    expect(dueStatus({ ...account, inAlbum: 'manager' })).toBe(200)
  })

  it('is told that he may not where he sees it, and that there is none where he does not', () => {
    expect(dueStatus({ ...account, inAlbum: 'contributor' })).toBe(403)
    expect(dueStatus({ ...account, inAlbum: 'none' })).toBe(404)
  })

  it('may not as a guest, and not at all with an account that is disabled', () => {
    expect(dueStatus({ ...account, role: 'guest', inAlbum: 'owner' })).toBe(403)
    expect(dueStatus({ ...account, role: 'guest', state: 'disabled', inAlbum: 'owner' })).toBe(401)
  })
})

describe('what somebody is to see', () => {
  const owners = new Map([
    ['mine', 'p2'],
    ['shared', 'p1'],
    ['hidden', 'p1']
  ])
  const albums = [
    { album: 'open', owner: 'p1', roles: { p2: VIEWER }, photos: ['shared'] },
    {
      album: 'closed',
      owner: 'p1',
      roles: { p2: { ...VIEWER, isInForce: false } },
      photos: ['shared', 'hidden', 'mine']
    }
  ]

  it('are his own photos and those in albums that are open to him', () => {
    const { photos, albums: open } = dueSight({ owners, albums }, 'p2')
    expect([...photos].sort()).toEqual(['mine', 'shared'])
    expect([...open]).toEqual(['open'])
  })

  it('is nothing for who was given nothing', () => {
    expect(dueSight({ owners, albums }, 'root')).toEqual({ photos: new Set(), albums: new Set() })
  })
})
