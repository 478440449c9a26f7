import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEFAULT_LAYOUT, parseLayout } from '../../../../src/cli/shell/export-layout.js'
import { exportPaths } from '../../../../src/cli/shell/export-names.js'

const ID = '0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'

function paths(name: string, rest: object = {}, layout = DEFAULT_LAYOUT) {
  const photo = { photo_id: ID, name, content_type: 'image/jpeg', created_at: '2026-11-20T23:59:59.000Z', ...rest }
  return exportPaths(photo, parseLayout(layout))
}

test('year, month and day, then the name; then what tells namesakes apart', () => {
  expect(paths('IMG_1.JPG')).toEqual([
    '2026/11/20/IMG_1.JPG',
    '2026/11/20/IMG_1_3f4a5b.JPG',
    `2026/11/20/IMG_1_${ID}.JPG`
  ])
})

test.each(['../../../.bashrc', '', `${ID}/..`, `${ID.slice(0, -1)}/`])(
  'no path has the id %j of a malicious node',
  photo_id => {
    expect(() => paths('a.jpg', { photo_id })).toThrow('no UUID')
  }
)

test('the time of taking goes before that of uploading', () => {
  expect(paths('a.jpg', { taken_at: '1999-01-02T03:04:05.000Z' })[0]).toBe('1999/01/02/a.jpg')
  // the day is that of the place: in Sydney it was next year already
  expect(paths('a.jpg', { taken_at: '2024-01-01T08:02:32.000+11:00' })[0]).toBe('2024/01/01/a.jpg')
  expect(paths('a.jpg', { taken_at: '2024-01-02T08:02:32.000' })[0]).toBe('2024/01/02/a.jpg')
  expect(paths('a.jpg', { taken_at: '1985-07' })[0]).toBe('1985/07/a.jpg')
  expect(paths('a.jpg', { taken_at: '1985' })[0]).toBe('1985/a.jpg')
  expect(paths('a.jpg', { taken_at: '../../etc' })[0]).toBe('undated/a.jpg')
  expect(paths('a.jpg', { taken_at: null })[0]).toBe('2026/11/20/a.jpg')
  expect(paths('a.jpg', { taken_at: 'never' })[0]).toBe('undated/a.jpg')
})

test.each([
  ['', 'photo.jpg'],
  ['no extension', 'no extension.jpg'],
  ['../../etc/passwd', '_.._etc_passwd.jpg'],
  ['..', 'photo.jpg'],
  ['.hidden.png', 'hidden.png'],
  ['a/b\\c:d*e?f"g<h>i|j.jpg', 'a_b_c_d_e_f_g_h_i_j.jpg'],
  ['con.jpg', '_con.jpg'],
  ['tail. ', 'tail.jpg'],
  ['a\u0000b\nc\u202ed.jpg', 'abcd.jpg'],
  ['Ü'.repeat(200), `${'Ü'.repeat(75)}.jpg`]
])('the name %j becomes %j', (name, wanted) => expect(paths(name)[0]).toBe(`2026/11/20/${wanted}`))

test('whatever the name, the file stays in its folder, fits a file system with its sidecar, and no two photos share the last place', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.string({ unit: 'grapheme' })), name => {
      for (const path of paths(name)) {
        const parts = path.split('/')
        expect(parts).toHaveLength(4)
        const file = parts[3] ?? ''
        expect(Buffer.byteLength(`${file}.json`)).toBeLessThanOrEqual(255)
        expect(file).not.toMatch(/[\p{Cc}/\\:*?"<>|]|^\.|[\s.]$/u)
        expect(file).not.toBe('')
      }
      expect(paths(name)[2]).toContain(ID)
    })
  )
})

test.each([
  ['{album}/{name}', {}, 'none/a.jpg'],
  ['{album}/{name}', { albums: ['../Kiel', 'x'] }, '_Kiel/a.jpg'],
  ['{tag}/{camera}/{stem}{ext}', { tags: ['b'], camera: { make: 'X', model: null } }, 'b/X/a.jpg'],
  ['{kind}/{year}-{month}/{name}', {}, 'image/2026-11/a.jpg'],
  ['{kind}/{name}', { content_type: 'text/plain' }, 'other/a.jpg'],
  ['{year}/{hour}/{id6}-{name}', { taken_at: '2024-01-02T08:02:32.000' }, '2024/08/3f4a5b-a.jpg'],
  ['{year}/{hour}/{name}', { taken_at: '1985' }, '1985/a.jpg'],
  ['photos of {album}/{stem}', { albums: ['con'] }, 'photos of con/a'],
  ['{album}/{name}', { albums: ['con'] }, '_con/a.jpg']
])('the layout %s', (layout, rest, path) => {
  expect(paths('a.jpg', rest, layout)[0]).toBe(path)
})

test.each([
  '{year}',
  '{Year}/{name}',
  '../{name}',
  '/{name}',
  'a//{name}',
  '{name}/',
  '{name',
  '{name}}',
  '',
  'x'.repeat(501)
])('no layout is %j', layout => {
  expect(() => parseLayout(layout)).toThrow(expect.objectContaining({ code: 'ERR_USAGE' }))
})
