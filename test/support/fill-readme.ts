/* `npm run docs`: writes the tables of the README anew from the code and from the latest bench. */
import { readFileSync, writeFileSync } from 'node:fs'
import { readmeTables, withTable } from './readme-tables.js'

const path = new URL('../../README.md', import.meta.url)
let readme = readFileSync(path, 'utf8')
for (const [name, table] of Object.entries(readmeTables())) readme = withTable(readme, name, table)
writeFileSync(path, readme)
