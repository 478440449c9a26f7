import { expect, test } from 'vitest'
import { readDocument } from '../../support/docs/links.js'
import { sourceFiles } from '../../support/docs/sources.js'

interface LayerRule {
  readonly name: string
  readonly comment: string
}

const RULE_NAME = /^([a-z]+)-imports-down-only$/
/** What a rule of a room says that it may import, the room itself first. */
const RULE_COMMENT = /^src\/[a-z]+ may import only (.+)$/

const document = readDocument('docs/architecture.md')

test('the floors of docs/architecture.md are those of .dependency-cruiser.mjs', async () => {
  const rules: unknown = await import(new URL('../../../.dependency-cruiser.mjs', import.meta.url).href)
  const { forbidden } = (rules as { default: { forbidden: readonly LayerRule[] } }).default
  const rows = forbidden.flatMap(({ name, comment }) => {
    const room = RULE_NAME.exec(name)?.[1]
    const folders = RULE_COMMENT.exec(comment)?.[1]?.split(', ')
    if (room === undefined || folders === undefined) return []
    const imported = folders.slice(1).map(folder => `\`${folder.replace('src/', '')}\``)
    return [`| \`${room}\` | ${imported.join(', ') || 'nothing'} |`]
  })
  const table = /\| room \| may import \|\n\|.*\n((?:\|.*\n)+)/.exec(document)?.[1]
  expect(table?.trim().split('\n')).toEqual(rows)
})

test('docs/architecture.md says what every room is for', () => {
  const rooms = new Set(sourceFiles().flatMap(({ path }) => /^src\/[^/]+\//.exec(path)?.[0] ?? []))
  expect([...rooms].filter(room => !document.includes(`| \`${room}\` |`))).toEqual([])
})

test('docs/architecture.md lists everybody who listens to the directory', () => {
  const listeners = sourceFiles().filter(({ text }) => /\bdirectory\.onChange\(/.test(text))
  const listed = Array.from(document.matchAll(/^\| `(src\/[^`]+\.ts)` \| /gm), ([, path = '']) => path)
  expect(listed.sort()).toEqual(listeners.map(({ path }) => path))
})
