import { expect, test } from 'vitest'
import { ERROR_CODES, hasCode, SheafError, systemErrorCode } from '../../../src/core/errors.js'

test('codes are upper-case names, and each has a distinct default text without a final period', () => {
  for (const [code, meaning] of Object.entries(ERROR_CODES)) {
    expect(code).toMatch(/^ERR(_[A-Z]+)+$/)
    expect(meaning).toMatch(/^\S.*[^.\s]$/)
  }
  expect(new Set(Object.values(ERROR_CODES)).size).toBe(Object.keys(ERROR_CODES).length)
})

test('the message of an error is the default text of its code unless one is given', () => {
  expect(new SheafError('ERR_NO_FILE').message).toBe(ERROR_CODES.ERR_NO_FILE)
  expect(new SheafError('ERR_NO_FILE', 'the form has text only').message).toBe('the form has text only')
})

test('an error carries its code, cause and details', () => {
  const cause = new Error('below')
  const error = new SheafError('ERR_DISK_READ', 'read failed', { cause, details: { volume: 'v' } })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ name: 'SheafError', code: 'ERR_DISK_READ', cause, details: { volume: 'v' } })
  expect('cause' in new SheafError('ERR_NO_FILE')).toBe(false)
  expect(new SheafError('ERR_NO_FILE').details).toEqual({})
})

test('hasCode recognizes the errors of Sheaf by their code, and no others', () => {
  expect(hasCode(new SheafError('ERR_NO_FILE'), 'ERR_NO_FILE')).toBe(true)
  expect(hasCode(new SheafError('ERR_NO_FILE'), 'ERR_BAD_ID')).toBe(false)
  expect(hasCode(Object.assign(new Error('foreign'), { code: 'ERR_NO_FILE' }), 'ERR_NO_FILE')).toBe(false)
  expect(hasCode(undefined, 'ERR_NO_FILE')).toBe(false)
})

test("systemErrorCode returns Node's codes", () => {
  expect(systemErrorCode(Object.assign(new Error('gone'), { code: 'ENOENT' }))).toBe('ENOENT')
  expect(systemErrorCode(Object.assign(new Error('odd'), { code: 7 }))).toBeUndefined()
  expect(systemErrorCode(new Error('plain'))).toBeUndefined()
  expect(systemErrorCode({ code: 'ENOENT' })).toBeUndefined()
  expect(systemErrorCode(undefined)).toBeUndefined()
})
