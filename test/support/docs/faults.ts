import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Generated, generatedDocuments } from './generated.js'
import { brokenReferences, documentPaths, readDocument } from './links.js'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))

/** A newcomer reads all of it. */
export const README_BYTES_MAX = 8_192

/** @returns what is wrong with the documents of this repository, a line each; empty when nothing is */
export async function documentFaults(): Promise<string[]> {
  const sources = sourceText()
  const faults = (await generatedDocuments()).flatMap(document => driftOf(REPOSITORY, document))
  for (const path of markdownFiles()) {
    const text = readDocument(path)
    faults.push(
      ...brokenReferences(path, text).map(fault => `${path}: ${fault}`),
      ...unknownLogLines(path, text, sources)
    )
    if (path === 'README.md') faults.push(...readmeTooLong(text))
  }
  return faults
}

/** A generated document that is missing, or differs from what the code says. */
export function driftOf(root: string, { path, text }: Generated): string[] {
  const file = join(root, path)
  const fits = existsSync(file) && readFileSync(file, 'utf8') === text
  return fits ? [] : [`${path} is not what the code says; run: npm run docs`]
}

export function readmeTooLong(text: string): string[] {
  const bytes = Buffer.byteLength(text)
  return bytes <= README_BYTES_MAX ? [] : [`README.md has ${bytes} bytes, ${README_BYTES_MAX} at most`]
}

/** Messages that a document quotes on a line that begins with `Log:`, and that stand whole in no source file. */
export function unknownLogLines(path: string, text: string, sources: string): string[] {
  return text
    .split('\n')
    .filter(line => /^(- )?Log: /.test(line))
    .flatMap(line => [...line.matchAll(/`([^`]+)`/g)].map(match => match[1] as string))
    .filter(message => !sources.includes(`'${message}'`) && !sources.includes(`"${message}"`))
    .map(message => `${path}: no source file logs ${JSON.stringify(message)}`)
}

/** The documents of `docs`, what stands in the root, and the templates. */
function markdownFiles(): string[] {
  const templates = filesBelow('.github').map(name => join('.github', name))
  const others = [...readdirSync(REPOSITORY), ...templates].filter(name => name.endsWith('.md'))
  return [...new Set([...documentPaths(), ...others])].sort()
}

function sourceText(): string {
  return filesBelow('src')
    .filter(name => name.endsWith('.ts'))
    .map(name => readFileSync(join(REPOSITORY, 'src', name), 'utf8'))
    .join('\n')
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' })
}
