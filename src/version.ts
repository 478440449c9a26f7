import { readFileSync } from 'node:fs'

/** Sheaf's version, from the package. @throws when the program was torn from its package */
export function programVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return version
}
