/*
 * The program of the image process, started by `forked-image-process.ts`. It has no state to save: it ends by being killed,
 * or by itself when the node is gone. Its arguments are the tools that it may decode with.
 */
import { argv, pid, send } from 'node:process'
import { systemClock } from '../../core/clock.js'
import { invariant } from '../../core/invariant.js'
import { offerToOutOfMemoryKiller } from '../../core/out-of-memory.js'
import type { DecodingTool } from './decoding-tools.js'
import { ImageProcessHandler } from './image-process-handler.js'
import type { FromImageProcess, ToImageProcess } from './image-process-messages.js'
import { configureDecoding } from './picture.js'

const MEASURE_MS = 100

invariant(send !== undefined, 'this program is started by a node, with a channel to it')

// Ctrl-C in a terminal interrupts every process of the node; the node decides when this one ends.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.kill(pid, 'SIGKILL'))

function sendToNode(message: FromImageProcess): void {
  process.send?.(message)
}

function watchUsage(): void {
  const { user, system } = process.cpuUsage()
  const reason = handler.excess({ rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1_000 })
  if (reason === undefined) systemClock.schedule(MEASURE_MS, watchUsage)
  else sendToNode({ type: 'excess', reason })
}

offerToOutOfMemoryKiller()
configureDecoding()
const handler = new ImageProcessHandler(sendToNode, new Set(argv.slice(2) as DecodingTool[]))
process.on('message', message => handler.receive(message as ToImageProcess))
watchUsage()
sendToNode({ type: 'ready' })
