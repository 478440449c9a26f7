import { expect, test } from 'vitest'
import { endOfLink, termsOf } from '../src/state/links.js'
import { endOfDay } from '../src/state/shares.js'
import { factsOf, labelOf, refusal, words } from '../src/texts/en-links.js'

const NOW = Date.UTC(2026, 11, 4, 12)

test('a link ends after so many days, with the day that is chosen, or never', () => {
  expect(endOfLink('1', '', NOW)).toBe('2026-12-05T12:00:00.000Z')
  expect(endOfLink('7', '', NOW)).toBe('2026-12-11T12:00:00.000Z')
  expect(endOfLink('30', '2027-01-31', NOW)).toBe('2027-01-03T12:00:00.000Z')
  expect(endOfLink('day', '2027-01-31', NOW)).toBe(endOfDay('2027-01-31'))
  expect(endOfLink('never', '2027-01-31', NOW)).toBeNull()
})

test('what is ticked is asked for, and nothing that was left empty', () => {
  expect(termsOf({ end: '1', label: '', password: '', metadata: 'on', download: 'on' }, NOW)).toEqual({
    role: 'viewer',
    download: true,
    metadata: true,
    expires_at: '2026-12-05T12:00:00.000Z'
  })
  expect(
    termsOf({ end: 'never', label: 'Grandma', password: ' with spaces ', metadata: 'on', upload: 'on' }, NOW)
  ).toEqual({
    role: 'contributor',
    download: false,
    metadata: true,
    expires_at: null,
    label: 'Grandma',
    password: ' with spaces '
  })
})

test('whoever is not to know dates and places gets no originals', () => {
  expect(termsOf({ end: '1', download: 'on' }, NOW)).toMatchObject({ download: false, metadata: false })
})

test('a link says in words what it gives, until when, and by whom it is', () => {
  const link = {
    role: 'viewer',
    download: true,
    metadata: true,
    has_password: false,
    by: { user_id: '1', name: 'anna' },
    expires_at: null
  } as const
  expect(factsOf(link)).toEqual([words.roles.viewer, words.endless, 'by anna'])
  expect(factsOf({ ...link, download: false, has_password: true })).toEqual([
    words.roles.viewer,
    words.endless,
    words.hasPassword,
    words.noDownload,
    'by anna'
  ])
  // what is set for originals counts for nothing then
  expect(factsOf({ ...link, metadata: false }).slice(2, -1)).toEqual([words.noMetadata, words.noDownload])
  const [role, end, by] = factsOf({
    ...link,
    role: 'contributor',
    expires_at: '2027-01-03T12:00:00Z',
    by: { ...link.by, name: null }
  })
  expect([role, end?.startsWith('until Jan'), by]).toEqual([
    words.roles.contributor,
    true,
    'by somebody this machine has not heard of yet'
  ])
  expect([labelOf({ label: null }), labelOf({ label: 'Grandma' })]).toEqual(['Link', 'Grandma'])
})

test('what is refused is told for links, and all else as everywhere', () => {
  expect(refusal({ code: 'ERR_PHOTO_NOT_FOUND', detail: '' })).toMatch(/belongs to somebody else/)
  expect(refusal({ code: 'ERR_TOO_MANY_LINKS', detail: '' })).toBe('There are 500 links. Delete some first.')
})
