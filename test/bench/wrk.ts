import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface WrkInit {
  readonly url: string
  readonly script: 'wrk-get.lua' | 'wrk-put.lua'
  readonly args: readonly string[]
  readonly connections: number
  readonly seconds: number
  /** The server's process, to tell what a request costs it. */
  readonly serverPid: number
}

export interface WrkResult {
  readonly requestsPerS: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU time of the server per request, in µs. */
  readonly cpuUs: number
}

interface WrkSummary {
  readonly requests: number
  readonly us: number
  readonly failed: number
  readonly p50Us: number
  readonly p99Us: number
}

/** Loads a server with one thread of wrk. @throws when any request failed: a number from refused requests is worth nothing */
export async function runWrk(init: WrkInit): Promise<WrkResult> {
  const script = fileURLToPath(new URL(init.script, import.meta.url))
  const args = ['-t1', `-c${init.connections}`, `-d${init.seconds}s`, '-s', script, init.url, '--', ...init.args]
  const cpuBefore = cpuMs(init.serverPid)
  const output = await outputOf('wrk', args)
  const cpu = cpuMs(init.serverPid) - cpuBefore
  const line = output.split('\n').find(candidate => candidate.startsWith('{'))
  if (line === undefined) throw new Error(`wrk said nothing that can be read:\n${output}`)
  const { requests, us, failed, p50Us, p99Us } = JSON.parse(line) as WrkSummary
  if (failed > 0 || requests === 0)
    throw new Error(`${failed} of ${requests} requests to ${init.url} failed:\n${output}`)
  return {
    requestsPerS: requests / (us / 1e6),
    p50Ms: p50Us / 1e3,
    p99Ms: p99Us / 1e3,
    cpuUs: (cpu * 1e3) / requests
  }
}

/** @returns CPU time of the process so far, user and system, in ms; the kernel counts in steps of 10 ms */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // the name in parentheses may hold spaces; utime and stime are fields 14 and 15
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** @returns what the command wrote to both its outputs. @throws when it fails */
function outputOf(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    }
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ended with ${code}:\n${output}`))
    })
  })
}
