import { expect, test } from 'vitest'
import { FORMAT_SOURCES } from '../../support/docs/formats.js'
import { readDocument } from '../../support/docs/links.js'
import { sourceFiles } from '../../support/docs/sources.js'

/** How methods and topics are named where they are registered, and constants that hold such names. */
const NAMED = /\.(?:handle|handleFetch|subscribe)\('([^']+)'|\b(?:METHOD|TOPIC)(?:_[A-Z]+)? = '([^']+)'/g
const REGISTRATION = /\b(?:transport|sealed)\.(?:handle|handleFetch|subscribe)\(\s*([^,\s]+),/g
/** `method` and `topic`: what a wrapper of the transport passes on. */
const KNOWN_WAYS = /^(?:'[^']+'|(?:METHOD|TOPIC)(?:_[A-Z]+)?|method|topic)$/

const document = readDocument('docs/protocol.md')
const names = sourceFiles().flatMap(({ text }) => Array.from(text.matchAll(NAMED), ([, name, named]) => name ?? named))

test.each([...new Set(names)])('docs/protocol.md tells of %s', name => {
  expect(document).toContain(`\`${name}\``)
})

test('names of messages were found in the sources', () => {
  expect(names).toEqual(expect.arrayContaining(['member.beat', 'volume.range', 'tree.nodes', 'records', 'events']))
})

test('every message is registered in a way that this test can read', () => {
  const ways = sourceFiles().flatMap(({ text }) => Array.from(text.matchAll(REGISTRATION), ([, way = '']) => way))
  expect(ways).toEqual(expect.arrayContaining(["'member.beat'", 'METHOD_NODES', 'TOPIC']))
  expect(ways.filter(way => !KNOWN_WAYS.test(way))).toEqual([])
})

test('a byte table of the network stands in a source that docs/protocol.md names, any other in docs/formats.md', () => {
  const tables = sourceFiles().filter(({ text }) => /^ \*.*offset +bytes/m.test(text))
  const missing = tables.filter(({ path }) => !FORMAT_SOURCES.includes(path) && !document.includes(`\`${path}\``))
  expect(missing.map(({ path }) => path)).toEqual([])
})
