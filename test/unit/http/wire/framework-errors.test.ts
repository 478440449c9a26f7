import { describe, expect, test } from 'vitest'
import { fromFastify } from '../../../../src/http/wire/framework-errors.js'

function frameworkError(code: string, statusCode: number): Error {
  return Object.assign(new Error('said by the framework'), { code, statusCode })
}

describe('an error of the framework', () => {
  test.each([
    [400, 'ERR_BAD_REQUEST'],
    [404, 'ERR_NOT_FOUND'],
    [413, 'ERR_TOO_LARGE'],
    [415, 'ERR_UNSUPPORTED_MEDIA'],
    [418, 'ERR_BAD_REQUEST'],
    [431, 'ERR_HEADERS_TOO_LARGE']
  ])('that it puts on the client with %i is %s, also when it is not known here', (status, code) => {
    expect(fromFastify(frameworkError('FST_ERR_OF_A_LATER_VERSION', status))).toMatchObject({ code })
  })

  test('of its own stays what it is, and so does one of others that has a status', () => {
    for (const error of [frameworkError('FST_ERR_X', 500), frameworkError('E_LIBRARY', 404), new Error('x'), 'text']) {
      expect(fromFastify(error)).toBe(error)
    }
  })

  test('of validation is named by what its pattern stands for', () => {
    const fault = {
      keyword: 'pattern',
      instancePath: '/tag/0',
      params: { pattern: '^a$' },
      schemaPath: '',
      message: ''
    }
    const error = Object.assign(new Error('must match'), { validation: [fault], validationContext: 'querystring' })
    expect(fromFastify(error, { '^a$': { code: 'ERR_BAD_ID' } })).toMatchObject({ code: 'ERR_BAD_ID' })
    expect(fromFastify(error, { '^a$': { code: 'ERR_BAD_PARAMETER', detail: 'is no a' } })).toMatchObject({
      code: 'ERR_BAD_PARAMETER',
      message: 'querystring/tag/0 is no a'
    })
    expect(fromFastify(error)).toMatchObject({ code: 'ERR_BAD_PARAMETER', message: 'must match' })
  })
})
