import { expect, test } from 'vitest'
import { readDocument } from '../../support/docs/links.js'
import { sourceFiles } from '../../support/docs/sources.js'

const document = readDocument('docs/background-work.md')
/** What the commands of the client and the primitives themselves wait for is no work of a node. */
const running = sourceFiles().filter(({ path }) => !path.startsWith('src/core/') && !path.startsWith('src/cli/'))

const LOOP = /new WorkerLoop\(/g
/** A loop is given its name on the spot, or by the `worker` of a room that starts several. */
const LOOP_NAME = /\bname: '([^']+)',\s+(?:idleMs|delayMs):|\bworker\('([^']+)',/g

const loops = running.filter(({ text }) => text.match(LOOP))
const names = loops.flatMap(({ path, text }) =>
  Array.from(text.matchAll(LOOP_NAME), ([, inline, named]) => ({ path, name: inline ?? named ?? '' }))
)

test.each(names)('docs/background-work.md tells of the loop $name of $path', ({ path, name }) => {
  expect(document).toContain(`| \`${name}\`, \`${path}\``)
})

test('a name was found for every worker loop', () => {
  for (const { path, text } of loops) {
    const count = names.filter(loop => loop.path === path).length
    expect({ path, count: count >= (text.match(LOOP)?.length ?? 0) }).toEqual({ path, count: true })
  }
})

test('docs/background-work.md names every source that starts a timer by itself', () => {
  const timed = running.filter(({ text }) => /\.schedule\(/.test(text)).map(({ path }) => path)
  // the next issue removes it; leaving ends the process once
  const once = ['src/cluster/members/decommission.ts']
  expect(timed.filter(path => !once.includes(path) && !document.includes(`\`${path}\``))).toEqual([])
})
