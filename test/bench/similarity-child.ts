/* One node of `similarity.ts` in a process of its own, driven by messages from its parent. */
import type { NodeId } from '../../src/domain/ids.js'
import { BenchNode, type VectorSetInit } from './similarity-node.js'

export type ToChild =
  | { readonly kind: 'fill'; readonly folder: string; readonly set: VectorSetInit; readonly members: readonly string[] }
  | { readonly kind: 'dial'; readonly address: string }

export type FromChild =
  | { readonly kind: 'started'; readonly id: string; readonly address: string }
  | { readonly kind: 'done' }

let members: readonly NodeId[] = []
const node = await BenchNode.start()
node.serve(() => members)
await node.transport.start()
const say = (message: FromChild): void => void process.send?.(message)
say({ kind: 'started', id: node.transport.self, address: node.transport.addresses()[0] ?? '' })

process.on('disconnect', () => process.exit())
process.on('message', (message: ToChild) => {
  const work = async (): Promise<void> => {
    if (message.kind === 'dial') await node.transport.dial(message.address, new AbortController().signal)
    else {
      members = message.members as NodeId[]
      await node.fill(message.folder, message.set, members)
    }
    say({ kind: 'done' })
  }
  work().catch(err => {
    console.error(err)
    process.exit(1)
  })
})
