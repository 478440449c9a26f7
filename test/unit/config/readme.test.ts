import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readmeTables, tableIn } from '../../support/readme-tables.js'

test.each(Object.entries(readmeTables()))(
  'the README shows the %s as the code has them (else: npm run docs)',
  (name, table) => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8')
    expect(tableIn(readme, name)).toBe(table)
  }
)
