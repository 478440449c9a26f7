/*
 * `prepare` asks: is there nothing to build? Exit status 0 says so.
 *
 * The first `npx sheaf` in a clone links the clone into npm's cache, and npm runs `prepare` for whatever it links.
 * `npm ci` has built the program already, so npx need not wait for that a second time.
 */
import { existsSync } from 'node:fs'

const main = new URL('../dist/main.js', import.meta.url)
process.exitCode = process.env.npm_command === 'exec' && existsSync(main) ? 0 : 1
