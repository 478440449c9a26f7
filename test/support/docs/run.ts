/* `npm run docs` writes the documents that come from the code; `npm run docs:check` (`--check`) says what is wrong with all. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { documentFaults } from './faults.js'
import { generatedDocuments } from './generated.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

if (process.argv.includes('--check')) {
  const faults = await documentFaults()
  for (const fault of faults) console.error(fault)
  process.exitCode = faults.length === 0 ? 0 : 1
} else {
  for (const { path, text } of await generatedDocuments()) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
}
