import { stdout } from 'node:process'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { AnalystProcess } from '../../src/similarity/images/analyst-process.js'

// Starts an image process, says which, and lives until it is killed.
const child = await AnalystProcess.start({ clock: systemClock, log: silentLog })
stdout.write(`${child.pid}\n`)
