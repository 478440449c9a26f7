/* `npm run docs`: writes the tables of the README anew from the code and from the latest bench. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { readmeTables, withTable } from './readme-tables.js'

const path = new URL('../../README.md', import.meta.url)
let readme = readFileSync(path, 'utf8')
for (const [name, table] of Object.entries(readmeTables())) readme = withTable(readme, name, table)
const latest = new URL('../../.bench/latest.json', import.meta.url)
if (existsSync(latest))
  readme = withTable(readme, 'bench', benchTable(JSON.parse(readFileSync(latest, 'utf8')) as Report))
writeFileSync(path, readme)

interface Report {
  readonly at: string
  readonly machine: Readonly<Record<string, string | number>>
  readonly results: readonly { name: string; value: string; target?: string; met?: string; note: string }[]
}

function benchTable({ at, machine, results }: Report): string {
  const rows = results.map(({ name, value, target = '', met, note }) => {
    const verdict = met === 'NO' ? '**no**' : (met ?? '')
    return `| ${name} | ${value} | ${target} | ${verdict} | ${note} |`
  })
  const { cpu, cores, kernel, node, nginx } = machine
  const where = `${at.slice(0, 10)}, ${cpu}, ${cores} shared cores, Linux ${kernel}, Node ${node}, ${nginx}`
  return [where, '', '| measure | value | target | met | how |', '|---|---|---|---|---|', ...rows].join('\n')
}
