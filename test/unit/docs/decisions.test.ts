import { expect, test } from 'vitest'
import { documentPaths, readDocument } from '../../support/docs/links.js'

const NAME = /^docs\/decisions\/(\d{4})-[a-z0-9-]+\.md$/
const HEADINGS = ['## Context', '## Decision', '## Why', '## Would change if']

const decisions = documentPaths().filter(path => NAME.test(path))

test('decisions are numbered without a gap, and each stands in the table', () => {
  expect(decisions.map(path => Number(NAME.exec(path)?.[1]))).toEqual(decisions.map((_, i) => i + 1))
  const table = readDocument('docs/decisions/README.md')
  const rows = decisions.map(path => {
    const [, number, title] = /^# D(\d+): (.+)\n/.exec(readDocument(path)) ?? []
    return `| [D${number}](${path.replace('docs/decisions/', '')}) | ${title} |`
  })
  expect(rows.filter(row => !table.includes(row))).toEqual([])
})

test.each(decisions)('%s says context, decision, why, and what would change it', path => {
  const headings = readDocument(path).match(/^## .+$/gm)
  expect(headings).toEqual(HEADINGS)
})
