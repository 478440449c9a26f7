import { expect, test } from 'vitest'
import { answerJson, cli, fakeNode } from './cli-harness.js'

const photo = {
  photo_id: '01890000-0000-7000-8000-000000000000',
  name: 'a.jpg',
  content_type: 'image/jpeg',
  size: 1,
  sha256: '0'.repeat(64),
  created_at: '2026-01-01T00:00:00Z',
  tags: [],
  albums: []
}

/** A node that has three pages of one photo each, and counts as the test says. */
function pagesOf(counted: { readonly total: number; readonly total_exact?: boolean }): Promise<string> {
  return fakeNode(({ url = '' }, response) => {
    const page = Number(new URL(url, 'http://node').searchParams.get('cursor') ?? '0')
    answerJson(response, 200, { photos: [photo], next_cursor: page === 2 ? null : String(page + 1), ...counted })
  })
}

test.each([
  ['all of a list that was not counted', [], { total: 2, total_exact: false }, '3 photos'],
  [
    'a part of a list that was not counted',
    ['--limit', '2'],
    { total: 2, total_exact: false },
    '2 of at least 3 photos'
  ],
  ['a part of a list that was counted', ['--limit', '2'], { total: 3, total_exact: true }, '2 of 3 photos'],
  ['a part of a list of an older node', ['--limit', '2'], { total: 3 }, '2 of 3 photos']
])('says at the end of %s how many there are', async (_, flags, counted, expected) => {
  const node = await pagesOf(counted)
  const { code, stderr } = await cli(['ls', ...flags], { node, stdoutIsTerminal: true, stderrIsTerminal: true })
  expect(code).toBe(0)
  expect(stderr.trim().split('\n').at(-1)).toBe(expected)
})
