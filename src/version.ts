import { readFileSync } from 'node:fs'

/** @returns Sheaf's version, from package.json. @throws if that file is missing */
export function programVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  return version
}
