import { readFileSync } from 'node:fs'
import { resourceUsage } from 'node:process'
import { decodingTools } from '../../src/similarity/images/decoding-tools.js'
import { configureDecoding, openPicture } from '../../src/similarity/images/picture.js'

/*
 * node decoding-child.js FILE ROUNDS: opens the picture in a fresh process, ROUNDS times after once to warm up, and prints what that
 * took as JSON: CPU ms for each, and by how many bytes it raised the process's peak memory.
 */

const [path = '', rounds = '1'] = process.argv.slice(2)
configureDecoding()
const bytes = readFileSync(path)
const tools = decodingTools({ heic: true, ffmpeg: false })
const before = peakBytes()
const outcome = await open()
const begun = process.cpuUsage()
for (let i = 0; i < Number(rounds); i++) await open()
const { user, system } = process.cpuUsage(begun)
console.log(JSON.stringify({ outcome, cpuMs: (user + system) / 1_000 / Number(rounds), bytes: peakBytes() - before }))

async function open(): Promise<string> {
  try {
    const { width, height } = await openPicture(bytes, tools)
    return `${width}×${height}`
  } catch (err) {
    return (err as { readonly code?: string }).code ?? String(err)
  }
}

function peakBytes(): number {
  return resourceUsage().maxRSS * 1_024
}
