import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

export interface SourceFile {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
}

/** @returns all of `src`, in the order of the paths */
export function sourceFiles(): SourceFile[] {
  const names = readdirSync(join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' })
  const paths = names.filter(name => name.endsWith('.ts')).map(name => join('src', name))
  return paths.sort().map(path => ({ path, text: readFileSync(join(REPOSITORY, path), 'utf8') }))
}
