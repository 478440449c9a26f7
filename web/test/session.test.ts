import { beforeEach, expect, test } from 'vitest'
import type { SessionAnswer } from '../src/api/client.js'
import { Session, samePlaceAt } from '../src/state/session.js'
import { ManualTimers } from './manual-timers.js'

let stored: Map<string, string>
let timers: ManualTimers
let asked: number
let others: number
let answer: SessionAnswer | undefined

beforeEach(() => {
  stored = new Map()
  timers = new ManualTimers()
  asked = 0
  others = 0
  answer = {
    user: null,
    accounts: false,
    signup: 'off',
    expires_at: null,
    can: ['read', 'operate'],
    node: { id: 'a', name: 'attic' },
    nodes: [{ id: 'b', name: 'barn', http: ['http://10.0.0.7:8000'] }]
  }
})

function session(): Session {
  return new Session({
    timers,
    ask: async () => {
      asked++
      if (answer === undefined) throw new Error('gone')
      return answer
    },
    onOther: () => {
      others++
    },
    storage: { getItem: key => stored.get(key) ?? null, setItem: (key, text) => stored.set(key, text) }
  })
}

test('where else the page is, is known over a reload, and while the node does not answer', async () => {
  const first = session()
  await first.load()
  expect([first.name.value, [...first.can.value]]).toEqual(['attic', ['read', 'operate']])
  answer = undefined
  timers.pass(60_000)
  await first.load()
  expect(first.others.value).toHaveLength(1)
  const second = session()
  expect([second.name.value, second.others.value]).toEqual(['attic', first.others.value])
})

test('an account can be made where the door is open to all', async () => {
  const subject = session()
  await subject.load()
  expect(subject.maySignUp.value).toBe(false)
  answer = { ...(answer as SessionAnswer), signup: 'open' }
  await subject.reload()
  expect(subject.maySignUp.value).toBe(true)
})

test('it is asked anew at most once in five seconds, but at once after it failed', async () => {
  const subject = session()
  for (let i = 0; i < 10; i++) await subject.load()
  expect(asked).toBe(1)
  timers.pass(5_000)
  answer = undefined
  for (let i = 0; i < 3; i++) await subject.load()
  expect(asked).toBe(4)
})

test.each([
  '',
  'null',
  '[]',
  '{',
  '{"nodes":7,"name":7}',
  '{"nodes":[null,7,{"id":"b","name":"barn"},{"id":"b","name":"barn","http":["javascript:alert(1)","http://x/y","//x",7]}]}'
])('what is kept is not believed: %s', text => {
  stored.set('sheaf.nodes', text)
  expect(session().others.value).toEqual([])
})

test('the same place is at an origin of the same scheme, if there is one', () => {
  const node = { id: 'b', name: 'barn', http: ['http://10.0.0.7:8000', 'https://barn.example'] }
  expect(samePlaceAt(node, { protocol: 'https:', hash: '#/trash' })).toBe('https://barn.example/#/trash')
  expect(samePlaceAt(node, { protocol: 'http:', hash: '#/' })).toBe('http://10.0.0.7:8000/#/')
  expect(samePlaceAt({ ...node, http: ['https://barn.example'] }, { protocol: 'http:', hash: '' })).toBe(
    'https://barn.example/'
  )
})

const room = { usage: { bytes: 0, photos: 0 }, quota: { bytes: null, photos: null } }
const anna = { user_id: 'u1', name: 'anna', display: null, role: 'user', state: 'open', ...room } as const

test('the page asks for photos when it knows that it may: logged in, or where nobody has to be', async () => {
  const subject = session()
  expect(subject.access.value).toBe('asking')
  await subject.load()
  expect(subject.access.value).toBe('in')
  answer = { ...(answer as SessionAnswer), accounts: true, can: [], nodes: [] }
  await subject.reload()
  expect([subject.access.value, subject.others.value.length]).toEqual(['out', 1])
  answer = { ...answer, user: anna }
  await subject.reload()
  expect([subject.access.value, subject.user.value]).toEqual(['in', anna])
  subject.end()
  expect(subject.access.value).toBe('out')
})

test('of a node that does not answer the page is shown, which says so', async () => {
  answer = undefined
  const subject = session()
  await subject.load()
  expect(subject.access.value).toBe('in')
})

test('somebody else is never let in to what the page holds', async () => {
  answer = { ...(answer as SessionAnswer), accounts: true, user: anna }
  const subject = session()
  await subject.load()
  subject.end()
  subject.take(answer)
  expect([subject.access.value, others]).toEqual(['in', 0])
  subject.end()
  subject.take({ ...answer, user: { ...anna, user_id: 'u2', name: 'bert' } })
  expect([subject.access.value, subject.user.value?.name, others]).toEqual(['out', 'anna', 1])
})

test('whoever has come by a link is in without an account, until nothing is open any more', async () => {
  answer = { ...(answer as SessionAnswer), accounts: true, can: ['read', 'download'] }
  const subject = session()
  await subject.load()
  expect([subject.access.value, subject.isGuest.value]).toEqual(['in', true])
  answer = { ...answer, can: [] }
  await subject.reload()
  expect([subject.access.value, subject.isGuest.value]).toEqual(['out', false])
})
