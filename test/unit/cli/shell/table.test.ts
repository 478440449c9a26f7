import { expect, test } from 'vitest'
import { fieldLines } from '../../../../src/cli/shell/field-lines.js'
import { Table } from '../../../../src/cli/shell/table.js'

const TABLE = new Table([{ title: 'ID', width: 4 }, { title: 'SIZE', align: 'right' }, { title: 'NAME' }])

test('columns are as wide as their widest cell', () => {
  expect(
    TABLE.lines([
      ['a', '12345', 'x'],
      ['bcdef', '1', '']
    ])
  ).toEqual(['ID      SIZE  NAME', 'a      12345  x', 'bcdef      1'])
})

test('a header alone has the widths given', () => {
  expect(TABLE.header()).toBe('ID    SIZE  NAME')
})

test('fields line up, those without a value are left out, and values cannot drive the terminal', () => {
  expect(
    fieldLines([
      ['id', '1'],
      ['caption', undefined],
      ['name', 'a\x1b[1m']
    ])
  ).toEqual(['id    1', 'name  a�[1m'])
})
