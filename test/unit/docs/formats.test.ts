import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formatsDocument, generatedFormats, headOf } from '../../support/docs/formats.js'

test('docs/formats.md says what the heads of the source files say (else: npm run docs)', () => {
  const { path, text } = generatedFormats()
  expect(readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')).toBe(text)
})

test('a change of a head changes the document', () => {
  const document = formatsDocument(path => `import x\n/*\n * The head of ${path}.\n *\n *   offset 0\n */\n`)
  expect(document).toContain('The head of src/domain/needle.ts.\n\n```text\n  offset 0\n```')
})

test('what a head says in words is not taken for Markdown, but what stands in backticks is', () => {
  const document = formatsDocument(() => '/*\n * a<b> *c* `d*`\n */\n')
  expect(document).toContain('a\\<b\\> \\*c\\* `d*`')
})

test('a docstring is no head', () => {
  expect(headOf('/**\n * Not this.\n */\n/*\n * This.\n */\n', 'x.ts')).toBe('This.')
  expect(() => headOf('/**\n * Not this.\n */\n', 'x.ts')).toThrow('x.ts has no comment at its head')
})
