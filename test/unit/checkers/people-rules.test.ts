import { describe, expect, it } from 'vitest'
import { dueStatus, possibleValues, type Register, type Setting } from '../../checkers/people-rules.js'

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

describe('who wants to share an album', () => {
  const owner = { role: 'user', state: 'open', isOwner: true, inAlbum: undefined }

  it('may as its owner or as a manager', () => {
    expect(dueStatus(owner)).toBe(200)
    expect(dueStatus({ ...owner, isOwner: false, inAlbum: 'manager' })).toBe(200)
    expect(dueStatus({ ...owner, isOwner: false, inAlbum: 'contributor' })).toBe(403)
    expect(dueStatus({ ...owner, isOwner: false })).toBe(403)
  })

  it('may not as a guest, and not at all with an account that is disabled', () => {
    expect(dueStatus({ ...owner, role: 'guest' })).toBe(403)
    expect(dueStatus({ ...owner, role: 'guest', state: 'disabled' })).toBe(401)
  })
})
