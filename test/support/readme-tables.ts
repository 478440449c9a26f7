import { settingsMarkdown } from '../../src/config/help.js'
import { ERROR_CODES, type ErrorCode } from '../../src/core/errors.js'
import { ERROR_MAP } from '../../src/http/wire/error-map.js'

/** The README's tables that say what the code says, by the name in their markers: `<!-- name -->` … `<!-- /name -->`. */
export function readmeTables(): Record<string, string> {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[]
  const errors = codes.map(code => `| \`${code}\` | ${ERROR_MAP[code].status} | ${ERROR_CODES[code]} |`)
  return {
    settings: settingsMarkdown().trim(),
    errors: ['| code | HTTP status | meaning |', '|---|---|---|', ...errors].join('\n')
  }
}

/** @returns what stands between the markers; undefined when they are missing */
export function tableIn(readme: string, name: string): string | undefined {
  return readme.split(`<!-- ${name} -->\n`)[1]?.split(`<!-- /${name} -->`)[0]?.trim()
}

export function withTable(readme: string, name: string, table: string): string {
  const [before, rest] = readme.split(`<!-- ${name} -->\n`)
  const after = rest?.split(`<!-- /${name} -->`)[1]
  if (before === undefined || after === undefined) throw new Error(`the README has no markers for ${name}`)
  return `${before}<!-- ${name} -->\n${table}\n<!-- /${name} -->${after}`
}
