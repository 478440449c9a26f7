import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { claimedAvif } from '../support/test-pictures.js'
import { atMost, type Measure } from './report.js'

const CHILD_PROGRAM = fileURLToPath(new URL('decoding-child.ts', import.meta.url))
const HEAD_MS_MAX = 20

interface Cost {
  readonly outcome: string
  /** For one picture, warm. */
  readonly cpuMs: number
  /** By which the process's peak grew. */
  readonly bytes: number
}

/** What pictures take that are dear for their size. */
export async function measureDecoding(scratch: string): Promise<Measure[]> {
  mkdirSync(scratch, { recursive: true })
  const refused = costOf(scratch, 'flat.avif', await claimedAvif(8_000, 8_000), 50)
  return [
    {
      name: 'AVIF of 64 megapixels in 300 bytes, refused by its head, CPU',
      value: `${refused.cpuMs.toFixed(1)} ms`,
      number: refused.cpuMs,
      target: atMost(HEAD_MS_MAX),
      note: `${refused.outcome}; decoding one takes 2 s and 1.1 GB`,
      rounds: refused
    }
  ]
}

/** @returns what opening the picture takes in a process of its own */
function costOf(scratch: string, name: string, bytes: Uint8Array, rounds: number): Cost {
  const path = join(scratch, name)
  writeFileSync(path, bytes)
  const out = execFileSync(execPath, ['--import', 'tsx', CHILD_PROGRAM, path, String(rounds)], { encoding: 'utf8' })
  return JSON.parse(out) as Cost
}
