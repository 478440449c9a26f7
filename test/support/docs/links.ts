import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

/** Folders whose paths a document names in backticks. */
const PATH = /^(?:\.ci|\.github|chaos|docs|src|test)\/[\w./-]+$/
const LINK = /\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: +(\S+)$/gm
const EXTERNAL = /^[a-z][a-z0-9+.-]*:/i
const FENCE = /^```[\s\S]*?^```/gm

/** @returns paths of all documents for people, from the root of the repository */
export function documentPaths(): string[] {
  const docs = readdirSync(join(REPOSITORY, 'docs'), { recursive: true, encoding: 'utf8' })
  return ['README.md', ...docs.filter(name => name.endsWith('.md')).map(name => join('docs', name))].sort()
}

export function readDocument(path: string): string {
  return readFileSync(join(REPOSITORY, path), 'utf8')
}

/**
 * Looks at relative links, with their fragments, and at paths of this repository that stand in backticks. Links to elsewhere
 * are not followed.
 *
 * @param path - of the document, from the root of the repository
 * @param text - what it says
 * @returns what does not exist, in words
 */
export function brokenReferences(path: string, text: string): string[] {
  const prose = text.replace(FENCE, '')
  const faults: string[] = []
  for (const [, inline, reference] of prose.matchAll(LINK)) {
    const target = inline ?? reference ?? ''
    if (!EXTERNAL.test(target) && !isThere(path, target)) faults.push(`the link ${target} leads nowhere`)
  }
  for (const [, code = ''] of prose.matchAll(/`([^`\n]+)`/g)) {
    if (PATH.test(code) && !existsSync(join(REPOSITORY, code))) faults.push(`${code} does not exist`)
  }
  return faults
}

function isThere(from: string, target: string): boolean {
  const [name = '', fragment] = target.split('#', 2)
  const path = name === '' ? from : normalize(join(dirname(from), name))
  if (!existsSync(join(REPOSITORY, path))) return false
  return fragment === undefined || !path.endsWith('.md') || anchorsOf(readDocument(path)).has(fragment)
}

/** @returns anchors of the headings, as GitHub names them */
function anchorsOf(text: string): Set<string> {
  const headings = text.replace(FENCE, '').matchAll(/^#{1,6} +(.+)$/gm)
  return new Set(Array.from(headings, ([, title = '']) => anchorOf(title)))
}

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
