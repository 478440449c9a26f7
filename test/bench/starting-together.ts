import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { NodeProcess } from '../support/node-process.js'
import { freePort } from './cut-network.js'
import { atMost, type Measure } from './report.js'

const READY_MS_MAX = 300_000
const GIVE_UP_MS = 300_000
const SEEN_MS_MAX = 90_000
const DIALS_RATIO_MAX = 3

/**
 * Nodes that are started at once on this machine, each of which is told the addresses of all, as behind one name: how soon
 * they are one cluster, and how many dials that takes.
 */
export async function measureStartingTogether(scratch: string, count: number): Promise<Measure[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  const addresses = ports.map(port => `127.0.0.1:${port}`)
  const nodes = addresses.map((address, i) =>
    NodeProcess.spawn({
      dataDir: join(scratch, `together-${i}`),
      flags: ['--p2p', address, '--join', addresses.join(), '--name', `n${i}`, '--model', 'none'],
      logLevel: 'warn',
      readyMsMax: READY_MS_MAX
    })
  )
  try {
    await Promise.all(nodes.map(node => node.untilReady()))
    const seenMs = await untilAllSeeAll(nodes)
    const begun = await sumOf(nodes, 'sheaf_dials_begun_total')
    const succeeded = await sumOf(nodes, 'sheaf_dials_succeeded_total')
    const pairs = (count * (count - 1)) / 2
    return [
      {
        name: `${count} nodes started at once: all see all`,
        value: `${(seenMs / 1_000).toFixed(1)} s`,
        number: seenMs,
        target: atMost(SEEN_MS_MAX, '≤ 90 s'),
        note: 'from when the last of them is ready; each was told the addresses of all'
      },
      {
        name: `${count} nodes started at once: dials begun ÷ succeeded`,
        value: `${(begun / succeeded).toFixed(2)} ×`,
        number: begun / succeeded,
        target: atMost(DIALS_RATIO_MAX),
        note: `${begun} begun, ${succeeded} succeeded, for ${pairs} pairs`
      }
    ]
  } finally {
    await Promise.all(nodes.map(node => node.kill9()))
  }
}

/** @returns how long it took, ms */
async function untilAllSeeAll(nodes: readonly NodeProcess[]): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    const short = await firstShort(nodes)
    const ms = performance.now() - startedAt
    if (short === undefined) return ms
    if (ms > GIVE_UP_MS) throw new Error(`after ${Math.round(ms / 1_000)} s ${short}`)
    await wait(250)
  }
}

/** @returns what the first node misses that does not see all; asking on would keep a busy machine busier */
async function firstShort(nodes: readonly NodeProcess[]): Promise<string | undefined> {
  for (const [i, node] of nodes.entries()) {
    const { members } = (await (await fetch(`${node.url}/cluster`)).json()) as { members: { state: string }[] }
    const alive = members.filter(({ state }) => state === 'alive').length
    if (alive < nodes.length) return `node ${i} sees ${alive} of ${nodes.length} nodes`
  }
  return undefined
}

async function sumOf(nodes: readonly NodeProcess[], metric: string): Promise<number> {
  let sum = 0
  for (const node of nodes) {
    const text = await (await fetch(`${node.url}/metrics`)).text()
    sum += Number(new RegExp(`^${metric} (\\d+)$`, 'm').exec(text)?.[1])
  }
  return sum
}
