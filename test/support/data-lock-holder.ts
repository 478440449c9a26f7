import { once } from 'node:events'
import { argv, stdin, stdout } from 'node:process'
import { DataLock } from '../../src/core/data-lock.js'
import { SheafError } from '../../src/core/errors.js'

// Says that it is there; when stdin says anything, takes the lock on the folder given and says in one line how that
// went; gives the lock back when stdin ends.
const lock = new DataLock({ folder: argv[2]! })
stdin.on('end', () => void lock.stop())
stdout.write('{"loaded":true}\n')
await once(stdin, 'data')
try {
  await lock.start()
  stdout.write('{"locked":true}\n')
} catch (err) {
  if (!(err instanceof SheafError)) throw err
  stdout.write(`${JSON.stringify({ locked: false, code: err.code, message: err.message, details: err.details })}\n`)
}
