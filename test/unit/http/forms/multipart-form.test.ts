import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasCode, type SheafError } from '../../../../src/core/errors.js'
import { type FormBody, type FormField, readUploadForm } from '../../../../src/http/forms/multipart-form.js'
import { encodeForm, type FormPart } from '../../../support/http-client.js'

const FIELDS = new Set(['tag', 'album'])

function bodyOf(chunks: readonly Uint8Array[]): FormBody {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield* chunks
  }
  return bodyFrom(pieces())
}

function bodyFrom(pieces: AsyncGenerator<Uint8Array>): FormBody {
  return { next: () => pieces.next(), return: () => pieces.return(undefined) }
}

interface Read {
  readonly fields: readonly FormField[]
  readonly filename: string | undefined
  readonly contentType: string | undefined
  readonly bytes: Buffer
}

async function readAll(chunks: readonly Uint8Array[], contentType: string): Promise<Read> {
  const form = await readUploadForm(bodyOf(chunks), contentType, FIELDS)
  const { fields, filename } = form
  const pieces: Uint8Array[] = []
  for await (const piece of form.file) pieces.push(piece)
  return { fields: [...fields], filename, contentType: form.contentType, bytes: Buffer.concat(pieces) }
}

async function faultOf(parts: readonly FormPart[]): Promise<string> {
  const { body, contentType } = encodeForm(parts)
  const error = await readAll([body], contentType).catch((err: SheafError) => err)
  return 'code' in error ? error.code : 'none'
}

/** Cuts bytes at the given fractions of their length. */
function cut(bytes: Uint8Array, fractions: readonly number[]): Uint8Array[] {
  const ends = [...fractions.map(fraction => Math.floor(fraction * bytes.length)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter(piece => piece.length > 0)
}

const file = { name: 'file', filename: 'a.png', contentType: 'image/png', value: 'bytes' }

test('fields before the file are read, and the file unchanged', async () => {
  const { body, contentType } = encodeForm([{ name: 'tag', value: 'ü' }, { name: 'tag', value: '' }, file])
  expect(await readAll([body], contentType)).toEqual({
    fields: [
      { name: 'tag', value: 'ü' },
      { name: 'tag', value: '' }
    ],
    filename: 'a.png',
    contentType: 'image/png',
    bytes: Buffer.from('bytes')
  })
})

test('a form is read the same however it is split', async () => {
  // Bytes that look like boundaries are the hard ones.
  const unit = fc.constantFrom('\r', '\n', '-', '--sheaf-test-boundary', '\r\n--sheaf-test-boundary', '\0', 'x')
  const content = fc.array(unit, { maxLength: 60 }).map(units => Buffer.from(units.join('')))
  const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(content, fractions, fc.boolean(), async (value, places, byByte) => {
      const { body, contentType } = encodeForm([
        { name: 'tag', value: 't' },
        { ...file, value }
      ])
      const chunks = byByte ? Array.from(body, byte => Uint8Array.of(byte)) : cut(body, places)
      const read = await readAll(chunks, contentType)
      expect(read.bytes.equals(value)).toBe(true)
      expect(read.fields).toEqual([{ name: 'tag', value: 't' }])
    }),
    { numRuns: 200 }
  )
})

test('a form truncated anywhere before the end of its closing boundary never yields a complete file', async () => {
  const { body, contentType } = encodeForm([{ name: 'tag', value: 't' }, file])
  const closing = body.length - '\r\n'.length
  for (let length = 0; length < closing; length++) {
    const error: unknown = await readAll([body.subarray(0, length)], contentType).catch(err => err)
    expect(hasCode(error, 'ERR_TRUNCATED_BODY') || (length === 0 && hasCode(error, 'ERR_NO_FILE')), `${length}`).toBe(
      true
    )
  }
  expect((await readAll([body.subarray(0, closing)], contentType)).bytes.toString()).toBe('bytes')
})

test('bytes after the closing boundary are ignored', async () => {
  const { body, contentType } = encodeForm([file])
  const read = await readAll(
    [Buffer.concat([Buffer.from('preamble\r\n'), body, Buffer.from('epilogue')]), body],
    contentType
  )
  expect(read.bytes.toString()).toBe('bytes')
})

test('a file that the caller does not read is not pulled', async () => {
  const { body, contentType } = encodeForm([{ ...file, value: 'x'.repeat(1_000_000) }])
  let pulled = 0
  let returned = false
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < body.length; at += 1_000, pulled++) yield body.subarray(at, at + 1_000)
    } finally {
      returned = true
    }
  }
  const form = await readUploadForm(bodyFrom(chunks()), contentType, FIELDS)
  expect(pulled).toBeLessThanOrEqual(1)
  for await (const _ of form.file) break
  expect(pulled).toBeLessThanOrEqual(2)
  expect(returned).toBe(true)
})

test.each<[string, readonly FormPart[], string]>([
  ['no parts', [], 'ERR_NO_FILE'],
  ['no file', [{ name: 'tag', value: 'x' }], 'ERR_NO_FILE'],
  ['a file under another name', [{ ...file, name: 'photo' }], 'ERR_NO_FILE'],
  ['an unknown field', [{ name: 'nope', value: 'x' }, file], 'ERR_BAD_PARAMETER'],
  ['a field after the file', [file, { name: 'tag', value: 'x' }], 'ERR_BAD_PARAMETER'],
  ['two files', [file, file], 'ERR_BAD_PARAMETER'],
  ['a field too long', [{ name: 'tag', value: 'x'.repeat(16_385) }, file], 'ERR_BAD_PARAMETER'],
  ['too many fields', [...Array<FormPart>(101).fill({ name: 'tag', value: 'x' }), file], 'ERR_BAD_PARAMETER'],
  ['headers too long', [{ ...file, filename: 'x'.repeat(20_000) }], 'ERR_BAD_REQUEST']
])('%s is refused', async (_, parts, code) => {
  expect(await faultOf(parts)).toBe(code)
})

test.each<[string, readonly FormPart[]]>([
  ['the longest field', [{ name: 'tag', value: 'x'.repeat(16_384) }, file]],
  ['the most fields', [...Array<FormPart>(100).fill({ name: 'tag', value: 'x' }), file]],
  ['a file without a name', [{ name: 'file', value: 'x' }]],
  ['an empty file', [{ ...file, value: '' }]]
])('%s is fine', async (_, parts) => {
  expect(await faultOf(parts)).toBe('none')
})

test('a part without a name is refused', async () => {
  const body = Buffer.from('--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n')
  await expect(readAll([body], 'multipart/form-data; boundary=b')).rejects.toMatchObject({ code: 'ERR_BAD_REQUEST' })
})

test('any bytes result in a form or an error', async () => {
  const unit = fc.constantFrom(
    '--b',
    '\r\n',
    '--',
    ':',
    'content-disposition: form-data; name=file',
    '\r\n\r\n',
    'x',
    '\0'
  )
  await fc.assert(
    fc.asyncProperty(fc.array(unit, { maxLength: 30 }), fc.nat(9), async (units, size) => {
      const body = Buffer.from(units.join(''))
      const chunks = Array.from({ length: Math.ceil(body.length / (size + 1)) }, (_, i) =>
        body.subarray(i * (size + 1), (i + 1) * (size + 1))
      )
      const outcome: unknown = await readAll(chunks, 'multipart/form-data; boundary=b').catch(err => err)
      expect(outcome).toSatisfy((it: object) => 'bytes' in it || 'code' in it)
    }),
    { numRuns: 500 }
  )
})

test('fields may follow the file where allowed, and are available after the file was read', async () => {
  const file = { name: 'file', filename: 'a', value: 'bytes' }
  const parts = [{ name: 'tag', value: 'x' }, file, { name: 'album', value: 'y' }]
  const { body, contentType } = encodeForm(parts)
  for (let cut = 1; cut < body.length; cut += 7) {
    const chunks = [body.subarray(0, cut), body.subarray(cut)]
    const form = await readUploadForm(bodyOf(chunks), contentType, FIELDS, { fieldsAfterFile: true })
    const pieces: Uint8Array[] = []
    for await (const piece of form.file) pieces.push(piece)
    expect(Buffer.concat(pieces).toString()).toBe('bytes')
    expect(form.fields).toEqual([parts[0], parts[2]])
  }
  expect(await faultOf(parts)).toBe('ERR_BAD_PARAMETER')
  for (const late of [file, { name: 'other', value: 'z' }]) {
    const faulty = encodeForm([...parts, late])
    const form = await readUploadForm(bodyOf([faulty.body]), faulty.contentType, FIELDS, {
      fieldsAfterFile: true
    }).catch((err: unknown) => ({ file: Promise.reject(err) }))
    const reading = async (): Promise<void> => {
      for await (const piece of await form.file) expect(piece).toBeDefined()
    }
    await expect(reading()).rejects.toMatchObject({ code: 'ERR_BAD_PARAMETER' })
  }
})
