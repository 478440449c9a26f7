import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What `fork` needs to start one of Sheaf's programs. */
export interface Program {
  readonly path: string
  /** Flags of Node itself. */
  readonly execArgv: readonly string[]
}

/**
 * @param caller - the caller's `import.meta.url`
 * @param name - the module to run, a sibling of the caller, without its extension
 */
export function siblingProgram(caller: string, name: string): Program {
  if (!caller.endsWith('.ts')) return { path: fileURLToPath(new URL(`./${name}.js`, caller)), execArgv: [] }
  // Running from source (tsx, vitest): the process needs the TypeScript loader.
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
  return { path: fileURLToPath(new URL(`./${name}.ts`, caller)), execArgv: ['--import', loader] }
}
