import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ERROR_CODES, type ErrorCode } from '../../../src/core/errors.js'
import { ERROR_MAP } from '../../../src/http/error-map.js'

const codes = Object.keys(ERROR_CODES) as ErrorCode[]

test('every code has a status, and no status is for a code that is not there', () => {
  expect(Object.keys(ERROR_MAP).sort()).toEqual([...codes].sort())
  for (const code of codes) {
    const { status } = ERROR_MAP[code]
    expect(status, code).toBeGreaterThanOrEqual(400)
    expect(status, code).toBeLessThan(600)
  }
})

test('503 says when to ask again, and nothing else does', () => {
  for (const code of codes) expect(ERROR_MAP[code].retryAfterS !== undefined, code).toBe(ERROR_MAP[code].status === 503)
})

test('the README lists exactly these codes, statuses and meanings', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
  const section = readme.split(/^## /m).find(part => part.startsWith('Errors\n')) ?? ''
  const rows = section.split('\n').filter(line => line.startsWith('| `ERR_'))
  expect(rows).toEqual(codes.map(code => `| \`${code}\` | ${ERROR_MAP[code].status} | ${ERROR_CODES[code]} |`))
})
