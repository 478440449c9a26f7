import { expect, test } from 'vitest'
import { parseBoundary, parsePartHead } from '../../../../src/http/forms/form-part-head.js'

test.each([
  ['multipart/form-data; boundary=abc', 'abc'],
  ['Multipart/Form-Data;boundary="a b c"', 'a b c'],
  ['multipart/form-data; charset=utf-8; boundary=x; y=z', 'x']
])('%s', (header, boundary) => {
  expect(parseBoundary(header)).toBe(boundary)
})

test.each([
  undefined,
  '',
  'multipart/form-data',
  'multipart/form-data; boundary=',
  `multipart/form-data; boundary=${'x'.repeat(71)}`,
  'multipart/mixed; boundary=abc',
  'application/json; x=multipart/form-data; boundary=abc',
  'xmultipart/form-data; boundary=abc'
])('%j has no boundary of a form', header => {
  expect(() => parseBoundary(header)).toThrow(expect.objectContaining({ code: 'ERR_NOT_MULTIPART' }))
})

function filenameOf(parameter: string): string | undefined {
  const header = Buffer.from(`form-data; name="file"; ${parameter}`).toString('latin1')
  return parsePartHead(new Map([['content-disposition', header]]))?.filename
}

test.each([
  ['filename="a.png"', 'a.png'],
  ['filename=a.png', 'a.png'],
  ['FileName="a.png"', 'a.png'],
  ['filename="a;b=c.png"', 'a;b=c.png'],
  ['filename="ü 🐑.png"', 'ü 🐑.png'],
  ['filename="a%22b.png"', 'a"b.png'],
  ['filename="a\\"b.png"', 'a"b.png'],
  ['filename="C:\\photos\\a.png"', 'C:\\photos\\a.png'],
  [`filename="x"; filename*=UTF-8''%C3%BC.png`, 'ü.png'],
  [`filename="x"; filename*=UTF-8''%zz`, 'x'],
  ['filename=""', ''],
  ['other="x"', undefined]
])('%s', (parameter, filename) => {
  expect(filenameOf(parameter)).toBe(filename)
})

test.each(['', 'attachment; name="file"', 'form-data', 'form-data; filename="a"'])('%j names no field', header => {
  expect(parsePartHead(new Map([['content-disposition', header]]))).toBeUndefined()
})

test('a missing type stays undefined', () => {
  expect(parsePartHead(new Map([['content-disposition', 'form-data; name=file']]))).toEqual({
    name: 'file',
    filename: undefined,
    contentType: undefined
  })
})
