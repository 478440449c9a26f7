import { readdirSync, readFileSync } from 'node:fs'
import type { NodeProcess } from '../support/node-process.js'

/** @returns what the process has used so far, ms; finer than the ticks of `/proc/PID/stat`, which miss what is short */
export function cpuMs(node: NodeProcess): number {
  const folder = `/proc/${node.pid}/task`
  const nanoseconds = readdirSync(folder).map(task =>
    Number(readFileSync(`${folder}/${task}/schedstat`, 'utf8').split(' ')[0])
  )
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6
}
