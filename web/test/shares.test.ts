import { expect, test } from 'vitest'
import {
  dayOf,
  endOfDay,
  isOver,
  lastDayOf,
  mayHandOver,
  mayOpenSharing,
  mayShare,
  rolesFor
} from '../src/state/shares.js'
import { nameOf, refusal } from '../src/texts/en-shares.js'

const anna = { user_id: '1', name: 'anna' }

test('to many no more is given than what can be taken back from one', () => {
  expect(rolesFor('public')).toEqual(['viewer'])
  expect(rolesFor('everyone')).toEqual(['viewer', 'contributor'])
  expect(rolesFor('group:1')).toEqual(['viewer', 'contributor'])
  expect(rolesFor('user:1')).toEqual(['viewer', 'contributor', 'manager'])
  expect(rolesFor('person')).toEqual(rolesFor('user:1'))
})

test('who may share is said by the node; whose an album is, its owner says, or of nobody’s an administrator', () => {
  expect([mayShare({ can: ['share'] }), mayShare({ can: [] })]).toEqual([true, false])
  expect(mayHandOver({ owner: anna, role: 'owner' }, { role: 'user' })).toBe(true)
  expect(mayHandOver({ owner: anna, role: 'manager' }, { role: 'admin' })).toBe(false)
  expect(mayHandOver({ owner: null, role: 'contributor' }, { role: 'admin' })).toBe(true)
  expect(mayHandOver({ owner: null, role: 'contributor' }, { role: 'user' })).toBe(false)
  expect(mayHandOver({ owner: null, role: 'none' }, undefined)).toBe(false)
  const sharing = { owner: anna, role: 'manager', can: ['share'], shares: [] } as const
  expect(mayOpenSharing(sharing, { role: 'user' })).toBe(true)
  expect(mayOpenSharing({ ...sharing, can: [] }, { role: 'user' })).toBe(false)
})

test.each(['2027-01-31', '2028-02-29', '2026-12-31', '2026-03-29', '2026-10-25', '9999-12-30'])(
  'what ends with %s does so when that day is over here, and has it as its last day',
  day => {
    const end = endOfDay(day) ?? ''
    expect(end).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(dayOf(Date.parse(end) - 1)).toBe(day)
    expect(dayOf(Date.parse(end))).not.toBe(day)
    expect(lastDayOf(end)).toBe(day)
    expect(isOver({ expires_at: end }, Date.parse(end) - 1)).toBe(false)
    expect(isOver({ expires_at: end }, Date.parse(end))).toBe(true)
  }
)

test('without a day there is no end', () => {
  expect(['', '2027-1-1', '12027-01-01'].map(endOfDay)).toEqual([null, null, null])
  expect(lastDayOf(null)).toBe('')
  expect(isOver({ expires_at: null }, Number.MAX_SAFE_INTEGER)).toBe(false)
})

test('everybody has a name, and what is refused is told for albums', () => {
  expect(nameOf({ principal: 'user:1', user: anna, group: null })).toBe('anna')
  expect(nameOf({ principal: 'user:1', user: { user_id: '1', name: null }, group: null })).toBe(
    'Somebody this machine has not heard of yet'
  )
  expect(nameOf({ principal: 'everyone', user: null, group: null })).toBe('Everyone who has an account')
  expect(nameOf({ principal: 'public', user: null, group: null })).toBe('Everyone, also without an account')
  const group = { group_id: '1', name: 'Family' }
  expect(nameOf({ principal: 'group:1', user: null, group })).toBe('Group “Family”')
  expect(nameOf({ principal: 'group:1', user: null, group: { ...group, name: null } })).toBe('A group that is deleted')
  expect(refusal({ code: 'ERR_FORBIDDEN', detail: '' })).toMatch(/no manager of this album/)
  expect(refusal({ code: 'ERR_DISK_FULL', detail: '' })).toMatch(/disk of this machine is full/)
})
