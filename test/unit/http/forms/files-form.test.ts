import { describe, expect, test } from 'vitest'
import { FilesForm } from '../../../../src/http/forms/files-form.js'
import { encodeForm, type FormPart } from '../../../support/http-client.js'

const INIT = { fieldNames: new Set(['token']), fileNames: new Set(['files[]']), filesMax: 3 }
const TOKEN = { name: 'token', value: 'secret' }
const file = (filename: string, text: string): FormPart => ({ name: 'files[]', filename, value: Buffer.from(text) })

/** The form in pieces of so many bytes. */
function opened(parts: readonly FormPart[], pieceBytes: number, bytesMax = Number.POSITIVE_INFINITY): FilesForm {
  const { body, contentType } = encodeForm(parts)
  let at = 0
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    const piece = body.subarray(at, Math.min(at + pieceBytes, bytesMax))
    at += piece.length
    return piece.length === 0 ? { done: true, value: undefined } : { done: false, value: piece }
  }
  return new FilesForm({ next, return: async () => ({ done: true, value: undefined }) }, contentType, INIT)
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of bytes) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

async function codeOf(task: () => Promise<unknown>): Promise<string> {
  try {
    await task()
    return 'fine'
  } catch (err) {
    return err instanceof Error && 'code' in err ? String(err.code) : String(err)
  }
}

async function readAll(form: FilesForm): Promise<[string | undefined, string][]> {
  const files: [string | undefined, string][] = []
  for (let one = await form.next(); one !== undefined; one = await form.next())
    files.push([one.filename, await textOf(one.bytes)])
  return files
}

describe('a form with several files', () => {
  test.each([1, 2, 7, 100, 100_000])('is read in pieces of %i bytes', async pieceBytes => {
    const form = opened([TOKEN, file('a', 'one'), file('b', ''), file('c', 'x'.repeat(1_000))], pieceBytes)
    expect(await readAll(form)).toEqual([
      ['a', 'one'],
      ['b', ''],
      ['c', 'x'.repeat(1_000)]
    ])
    expect(form.fields).toEqual([TOKEN])
    expect(form.isBroken).toBe(false)
  })

  test.each([1, 5, 100_000])('skips what nobody reads of a file, in pieces of %i bytes', async pieceBytes => {
    const form = opened([file('a', 'one'), file('b', 'two two'), file('c', 'three')], pieceBytes)
    await form.next()
    const second = await form.next()
    for await (const _ of second?.bytes ?? []) break
    const third = await form.next()
    expect([second?.filename, third?.filename, await textOf(third?.bytes ?? (async function* () {})())]).toEqual([
      'b',
      'c',
      'three'
    ])
    expect(await form.next()).toBeUndefined()
  })

  test('that ends too early is broken wherever that is', async () => {
    const parts = [TOKEN, file('a', 'one'), file('b', 'two')]
    const { length } = encodeForm(parts).body
    for (let bytesMax = 0; bytesMax < length - 4; bytesMax++) {
      const form = opened(parts, 1_000, bytesMax)
      expect([bytesMax, await codeOf(() => readAll(form)), form.isBroken]).toEqual([
        bytesMax,
        'ERR_TRUNCATED_BODY',
        true
      ])
    }
  })

  test('is refused with fields behind a file, unknown or too long ones, too many fields or files', async () => {
    const a = file('a', 'one')
    for (const parts of [
      [a, TOKEN],
      [{ name: 'constructor', value: 'x' }, a],
      [{ ...a, name: 'photo' }],
      [{ ...TOKEN, value: 'x'.repeat(16 * 1024 + 1) }, a],
      Array.from({ length: 101 }, () => TOKEN),
      [a, a, a, a]
    ])
      expect(await codeOf(() => readAll(opened(parts, 1_000)))).toBe('ERR_BAD_PARAMETER')
    expect(() => new FilesForm({} as never, 'text/plain', INIT)).toThrow('multipart/form-data')
  })
})
