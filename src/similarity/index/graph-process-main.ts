/* The program of the process that holds the graphs of all indexes of a node, started by graph-process.ts. */
import { pid } from 'node:process'
import { invariant } from '../../core/invariant.js'
import { offerToOutOfMemoryKiller } from '../../core/out-of-memory.js'
import { GraphHandler } from './graph-handler.js'
import type { NumberedGraphAnswer, NumberedGraphRequest } from './graph-messages.js'

invariant(process.send !== undefined, 'this program is started by a node, with a channel to it')

// Ctrl-C in a terminal interrupts every process of the node; the node decides when this one ends.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.kill(pid, 'SIGKILL'))
offerToOutOfMemoryKiller()

const handler = new GraphHandler()
const send = (answer: NumberedGraphAnswer): void => void process.send?.(answer)

process.on('message', ({ number, request }: NumberedGraphRequest) => {
  handler.handle(request).then(
    answer => send({ number, answer }),
    err => send({ number, error: err instanceof Error ? err.message : String(err) })
  )
})
