import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ContentDigests, checkPlain } from '../../../../src/http/wire/content-claims.js'

const BYTES = Buffer.from('hello world')
const digest = (algorithm: string): string => hash(algorithm, BYTES, 'base64')
const SHA256 = digest('sha256')

function headers(values: Readonly<Record<string, string>>): (name: string) => string | undefined {
  return name => values[name]
}

function codeOf(task: () => unknown): string {
  try {
    task()
    return 'ok'
  } catch (err) {
    return (err as { code: string }).code
  }
}

describe('what says that the bytes are not plain', () => {
  test.each([
    ['content-encoding', 'gzip', 'ERR_UNSUPPORTED_ENCODING'],
    ['content-encoding', 'identity, GZIP', 'ERR_UNSUPPORTED_ENCODING'],
    ['content-encoding', 'x-unheard-of', 'ERR_UNSUPPORTED_ENCODING'],
    ['content-encoding', 'Identity', 'ok'],
    ['content-encoding', '', 'ok'],
    ['content-transfer-encoding', 'base64', 'ERR_UNSUPPORTED_ENCODING'],
    ['content-transfer-encoding', 'quoted-printable', 'ERR_UNSUPPORTED_ENCODING'],
    ['content-transfer-encoding', 'binary', 'ok'],
    ['transfer-encoding', 'gzip, chunked', 'ERR_UNSUPPORTED_ENCODING'],
    ['transfer-encoding', 'Chunked', 'ok'],
    ['content-range', 'bytes 0-4/10', 'ERR_BAD_PARAMETER'],
    ['content-range', 'nonsense', 'ERR_BAD_PARAMETER']
  ])('%s: %s is %s', (name, value, expected) => {
    expect(codeOf(() => checkPlain(headers({ [name]: value })))).toBe(expected)
  })
})

describe('digests', () => {
  test.each([
    ['content-md5', digest('md5')],
    ['content-digest', `sha-256=:${SHA256}:`],
    ['content-digest', `sha-512=:${digest('sha512')}:, sha-256=:${SHA256}:;q=1`],
    ['content-digest', `md5=:${digest('md5')}:,sha=:${digest('sha1')}:`],
    ['repr-digest', `sha-256=:${SHA256}:`],
    ['digest', `SHA-256=${SHA256}`],
    ['digest', `md5=${digest('md5')},sha=${digest('sha1')}, sha-512=${digest('sha512')}`]
  ])('%s: %s fits, and no other bytes do', (name, value) => {
    const right = ContentDigests.declaredBy(headers({ [name]: value }))
    right?.add(BYTES.subarray(0, 5))
    right?.add(BYTES.subarray(5))
    right?.check()
    const wrong = ContentDigests.declaredBy(headers({ [name]: value }))
    wrong?.add(BYTES.subarray(1))
    expect(codeOf(() => wrong?.check())).toBe('ERR_DIGEST_MISMATCH')
  })

  test('one wrong among right ones is found', () => {
    const digests = ContentDigests.declaredBy(
      headers({ 'content-digest': `sha-256=:${SHA256}:, sha-512=:${hash('sha512', 'other', 'base64')}:` })
    )
    digests?.add(BYTES)
    expect(() => digests?.check()).toThrow('sha-512')
  })

  test.each([
    [`sha-512=:${digest('sha512')}:`, 'ok'],
    [`sha-512=:${hash('sha512', 'other', 'base64')}:`, 'ERR_DIGEST_MISMATCH'],
    ['!', 'ERR_BAD_PARAMETER'],
    [undefined, 'ok']
  ])('the trailer %s that Trailer has announced is %s', (value, expected) => {
    const digests = ContentDigests.declaredBy(headers({ trailer: 'X-Other, Content-Digest' }))
    digests?.add(BYTES)
    expect(codeOf(() => digests?.check(name => (name === 'content-digest' ? value : undefined)))).toBe(expected)
  })

  test.each([
    ['content-digest', 'unixsum=:Aa4=:, x-later=:AAAA:'],
    ['digest', 'unixsum=30637, crc32c=AAAAAA==, id-sha-256=abc'],
    ['content-digest', 'constructor=:AAAA:'],
    ['x-amz-checksum-sha256', 'x'],
    ['content-digest', '']
  ])('%s: %s asks for nothing that is known, so nothing is computed', (name, value) => {
    expect(ContentDigests.declaredBy(headers({ [name]: value }))).toBeUndefined()
  })

  test.each([
    ['content-md5', 'x'],
    ['content-md5', ''],
    ['content-md5', hash('md5', BYTES, 'hex')],
    ['content-md5', `${digest('md5')}, ${digest('md5')}`],
    ['content-digest', SHA256],
    ['content-digest', `sha-256=${SHA256}`],
    ['content-digest', 'sha-256=:AAAA:'],
    ['content-digest', 'sha-256=::'],
    ['content-digest', `SHA-256=:${SHA256}:`],
    ['content-digest', `x-later=${'1'}`],
    ['repr-digest', 'sha-256'],
    ['digest', SHA256],
    ['digest', `sha-256=${hash('sha256', BYTES, 'hex')}`],
    ['digest', 'sha-256='],
    ['digest', '=x']
  ])('%s: %s is malformed', (name, value) => {
    expect(codeOf(() => ContentDigests.declaredBy(headers({ [name]: value })))).toBe('ERR_BAD_PARAMETER')
  })
})
