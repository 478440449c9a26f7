import { expect, test } from 'vitest'
import { type StartFacts, startLines } from '../../src/start-lines.js'

const PEER = '/p2p/12D3KooWHFujtqiDgHK9H9oVDy7gsvtdtxAK9xJSsPwGFren7Yms'

const FRESH: StartFacts = {
  command: 'npx sheaf',
  http: 'http://127.0.0.1:8000',
  operatorToken: 'ab'.repeat(32),
  p2p: [`/ip4/127.0.0.1/tcp/4001${PEER}`],
  folder: '/home/me/sheaf/data',
  model: { name: 'mobilenet', isHere: false },
  hasKey: false
}

function lineOf(name: string, facts: Partial<StartFacts>): string {
  const lines = startLines({ ...FRESH, ...facts })
  const at = lines.findIndex(line => line.startsWith(`  ${name} `))
  return lines.slice(at).join('\n')
}

test('a fresh start says where, what of the model, and that there is no key, in lines that fit a terminal', () => {
  const lines = startLines(FRESH)
  expect(lines[0]).toContain('at http://127.0.0.1:8000.')
  expect(lines).toContain('  Data    /home/me/sheaf/data')
  expect(lineOf('Model', {})).toContain('mobilenet is being downloaded')
  expect(lineOf('Key', {})).toMatch(/none, .*\n.*`\(umask 077; npx sheaf keygen > key\)`.*\n.*--cluster-key key/)
  expect(lines.filter(line => line.length > 80 && !line.startsWith('  Page '))).toEqual([])
})

test('the page that makes its reader the operator, but not of a Unix socket', () => {
  expect(lineOf('Page', {})).toContain(`http://127.0.0.1:8000/#operator=${'ab'.repeat(32)}\n`)
  expect(startLines({ ...FRESH, http: 'unix:/run/sheaf.sock' }).join('\n')).not.toMatch(/unix:\S*\/(photos|docs)|abab/)
})

test('the model: here, or none', () => {
  expect(lineOf('Model', { model: { name: 'clip', isHere: true } })).toContain('clip: `npx sheaf search WORDS`')
  expect(lineOf('Model', { model: undefined })).toContain('none, so photos cannot be found')
})

test('without a key: who can join depends on where the node listens', () => {
  const ipv6 = [`/ip6/::1/tcp/4001${PEER}`]
  const lan = [...FRESH.p2p, `/ip4/10.0.0.5/tcp/4001${PEER}`]
  expect(lineOf('Key', {})).toContain('any program on this machine can join')
  expect(lineOf('Key', { p2p: ipv6 })).toContain('any program on this machine can join')
  expect(lineOf('Key', { p2p: lan })).toContain('anyone who reaches this node can join')
})

test('with a key there is nothing to warn of', () => {
  expect(lineOf('Key', { hasKey: true })).toBe('  Key     only nodes that hold the cluster key can join')
})
