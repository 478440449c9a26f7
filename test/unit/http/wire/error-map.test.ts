import { expect, test } from 'vitest'
import { ERROR_CODES, type ErrorCode } from '../../../../src/core/errors.js'
import { ERROR_MAP } from '../../../../src/http/wire/error-map.js'

const codes = Object.keys(ERROR_CODES) as ErrorCode[]

test('every code has a status, and no status is for an unknown code', () => {
  expect(Object.keys(ERROR_MAP).sort()).toEqual([...codes].sort())
  for (const code of codes) {
    const { status } = ERROR_MAP[code]
    expect(status, code).toBeGreaterThanOrEqual(400)
    expect(status, code).toBeLessThan(600)
  }
})

test('exactly the 503 errors say when to try again', () => {
  for (const code of codes) expect(ERROR_MAP[code].retryAfterS !== undefined, code).toBe(ERROR_MAP[code].status === 503)
})
