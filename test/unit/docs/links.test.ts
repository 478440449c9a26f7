import { expect, test } from 'vitest'
import { brokenReferences, documentPaths, readDocument } from '../../support/docs/links.js'

test.each(documentPaths())('%s refers only to what exists', path => {
  expect(brokenReferences(path, readDocument(path))).toEqual([])
})

test('a link to a missing file, a missing heading or a missing source is found', () => {
  const text = '[a](none.md) [b](README.md#no-such-heading) `src/none.ts`\n\n[c]: ../src/none'
  expect(brokenReferences('docs/x.md', text)).toEqual([
    'the link none.md leads nowhere',
    'the link README.md#no-such-heading leads nowhere',
    'the link ../src/none leads nowhere',
    'src/none.ts does not exist'
  ])
})

test('code blocks and links to elsewhere are left alone', () => {
  const text = '[a](https://example.org/none)\n\n```sh\ncat `src/none.ts` [b](none.md)\n```\n'
  expect(brokenReferences('docs/x.md', text)).toEqual([])
})
