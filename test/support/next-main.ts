/*
 * `sheaf start` of a version that does not exist: it reads one record format more than the present one. Run it with tsx.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { loadConfig } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { SheafNode } from '../../src/node.js'
import { createLog } from '../../src/node-log.js'
import { NEXT_FORMATS } from './next-format.js'

const [, , , ...args] = process.argv
const config = loadConfig({
  args,
  environment: process.env,
  hostName: hostname(),
  readTextFile: path => readFileSync(path, 'utf8')
})
const log = createLog({ level: config.logLevel, terminal: false })
const fatal = (err: unknown): never => {
  log.fatal({ err }, 'a defect: the node ends here')
  process.exit(1)
}
process.on('uncaughtException', fatal)
const node = new SheafNode(
  { clock: systemClock, random: systemRandom, fileSystem: nodeFileSystem, log },
  { config, version: '0.0.0-next', formats: NEXT_FORMATS }
)
const asked = new Promise(resolve => process.once('SIGTERM', resolve))
await node.start()
process.stdout.write(`ready ${JSON.stringify(node.ready)}\n`)
await asked
await node.stop()
