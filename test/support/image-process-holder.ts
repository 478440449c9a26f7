import { stdout } from 'node:process'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { ForkedImageProcess } from '../../src/similarity/images/forked-image-process.js'

// Starts an image process, says which, and lives until it is killed.
const child = await ForkedImageProcess.start({ clock: systemClock, log: silentLog })
stdout.write(`${child.pid}\n`)
