import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../../src/core/errors.js'
import { OperatorGuard } from '../../../../src/http/wire/operator-guard.js'

const TOKEN = '0123456789abcdef'.repeat(4)
const guard = new OperatorGuard(TOKEN)

/** @returns why it was refused; undefined: it was not */
function refusal(authorization?: string): string | undefined {
  try {
    guard.check(authorization === undefined ? {} : { authorization })
    return undefined
  } catch (err) {
    if (!hasCode(err, 'ERR_NOT_OPERATOR')) throw err
    return err.message
  }
}

describe("the operator's token", () => {
  test.each([`Bearer ${TOKEN}`, `bearer ${TOKEN}`, `Bearer   ${TOKEN} `])('%j is let through', header => {
    expect(refusal(header)).toBeUndefined()
  })

  test.each([
    '',
    TOKEN,
    'Bearer',
    'Bearer ',
    `Bearer ${TOKEN.slice(1)}`,
    `Bearer ${TOKEN}0`,
    `Bearer ${TOKEN.toUpperCase()}`,
    `Bearer ${'0'.repeat(64)}`,
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN} ${TOKEN}`
  ])('%j is refused, and what was sent is not repeated', header => {
    const message = refusal(header)
    expect(message).toMatch(/^this is not the operator's token of this node: .*operator\.token.*--data DIR/)
    expect(message).not.toContain(TOKEN)
  })

  test('none at all is told where it is', () => {
    expect(refusal()).toMatch(/^this needs the operator's token: .*`Authorization: Bearer TOKEN`/)
  })
})
