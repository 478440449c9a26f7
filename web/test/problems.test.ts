import { expect, test } from 'vitest'
import { ERROR_MAP } from '../../src/http/wire/error-map.js'
import { PROBLEM_TEXTS, wordsFor } from '../src/texts/problems.js'

/** What the page asks for nowhere, or what only the command line and other nodes meet. */
const NEVER_MET = [
  /^ERR_(NOT_MULTIPART|NO_FILE|EXPECTATION_FAILED|ALT_KEY_EXISTS|METRICS_TOKEN|NOT_BURIED|NO_SUCH_VOLUME|NO_SUCH_MEMBER)$/,
  /^ERR_(NO_)?ARCHIVE/,
  /^ERR_(CONFIG|USAGE|DATA_LOCKED|IDENTITY_CORRUPT|ADDRESS_IN_USE|VOLUME_CORRUPT|RECORD_MALFORMED|MODEL_DOWNLOAD|MODEL_INVALID)$/,
  /^ERR_(PEER_REFUSED|PEER_PROTOCOL|MEMBER_REMOVED)$/
]
const codes = Object.keys(ERROR_MAP)
const met = codes.filter(code => !NEVER_MET.some(pattern => pattern.test(code)))

test.each(met)('%s has words', code => {
  expect(PROBLEM_TEXTS[code]).toMatch(/^[A-Z].*\.$/)
})

test('words are of codes that there are', () => {
  expect(Object.keys(PROBLEM_TEXTS).filter(code => !codes.includes(code))).toEqual([])
})

test('of a code from a later version, what the node says is shown', () => {
  expect(wordsFor('ERR_OF_TOMORROW', 'the moon is full')).toBe('the moon is full (ERR_OF_TOMORROW)')
})
