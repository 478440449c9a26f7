import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { cpuMs } from './cpu-time.js'
import { CutNetwork, freePort } from './cut-network.js'
import { atMost, type Measure, median } from './report.js'

const NODES = 5
const RECORDS = 10_000
const FEW_RECORDS = 2_000
const UPLOADS_AT_ONCE = 4
const IDLE_MS = 30_000
const CONVERGED_MS_MAX = 30_000
const GIVE_UP_MS = 600_000

interface Status {
  readonly photos: number
  readonly bytes: number
  readonly directory_digest: string
  readonly repair: { readonly backlog_bytes: number }
}

/**
 * Five real nodes on loopback: what they cost while nothing happens, and how soon they are identical after a time apart
 * in which each took photos of its own.
 *
 * @param bytes - that 10 000 photos take together
 */
export async function measureConvergence(scratch: string, bytes: number): Promise<Measure[]> {
  const network = new CutNetwork()
  const nodes = await startNodes(scratch, network)
  try {
    const idle = await measureIdle(nodes)
    const photoBytes = Math.round(bytes / RECORDS)
    const points: Measure[] = []
    for (const records of [FEW_RECORDS, RECORDS, FEW_RECORDS]) {
      points.push(await measureHealing(nodes, network, records, photoBytes))
    }
    return [...idle, ...points]
  } finally {
    await Promise.all(nodes.map(node => node.kill9()))
    network.close()
  }
}

async function startNodes(scratch: string, network: CutNetwork): Promise<NodeProcess[]> {
  const ports: number[] = []
  for (let i = 0; i < NODES; i++) ports.push(await freePort())
  const ways = await Promise.all(ports.map(port => network.wayTo(port)))
  const nodes: NodeProcess[] = []
  for (const [i, port] of ports.entries()) {
    const flags = ['--p2p', `127.0.0.1:${port}`, '--advertise', ways[i] as string, '--join', ways[0] as string]
    flags.push('--name', `n${i}`, '--model', 'none')
    nodes.push(await NodeProcess.start({ dataDir: join(scratch, `converge-${i}`), flags, logLevel: 'warn' }))
  }
  await until(async () => (await Promise.all(nodes.map(aliveMembers))).every(count => count === NODES))
  return nodes
}

async function measureIdle(nodes: readonly NodeProcess[]): Promise<Measure[]> {
  await wait(5_000)
  const before = nodes.map(cpuMs)
  const startedAt = performance.now()
  await wait(IDLE_MS)
  const elapsedMs = performance.now() - startedAt
  const shares = nodes.map((node, i) => (cpuMs(node) - (before[i] as number)) / elapsedMs)
  const resident = nodes.map(node => node.memory().rssBytes)
  const note = `median of ${NODES} nodes that see each other, over ${IDLE_MS / 1000} s`
  return [
    {
      name: 'idle in a cluster of five: CPU',
      value: `${(median(shares) * 100).toFixed(2)} %`,
      number: median(shares),
      target: atMost(0.02, '< 2 % of a core'),
      note
    },
    {
      name: 'idle in a cluster of five: memory',
      value: `${(median(resident) / 1e6).toFixed(0)} MB`,
      number: median(resident),
      target: atMost(150e6, '< 150 MB'),
      note: `resident set, ${note}`
    }
  ]
}

async function measureHealing(
  nodes: readonly NodeProcess[],
  network: CutNetwork,
  records: number,
  photoBytes: number
): Promise<Measure> {
  network.cut()
  await Promise.all(nodes.map(node => fill(node, records / NODES, photoBytes)))
  const cpuBefore = nodes.map(cpuMs)
  network.heal()
  const healedAt = performance.now()
  await until(async () => areIdentical(await Promise.all(nodes.map(statusOf))))
  const ms = performance.now() - healedAt
  const cpuS = nodes.reduce((sum, node, i) => sum + cpuMs(node) - (cpuBefore[i] as number), 0) / 1000
  const [{ photos: total } = { photos: 0 }] = await Promise.all(nodes.map(statusOf))
  const isTarget = records === RECORDS
  return {
    name: `${NODES} nodes identical after ${records} new photos of ${total}, ${Math.round((records * photoBytes) / 1e6)} MB`,
    value: `${(ms / 1000).toFixed(1)} s`,
    number: ms,
    ...(isTarget && { target: atMost(CONVERGED_MS_MAX, '≤ 30 s') }),
    note: `from healing, redialling included; each node took a fifth of the new ones while it was alone; ${cpuS.toFixed(0)} s of CPU, all nodes together`
  }
}

async function fill(node: NodeProcess, count: number, photoBytes: number): Promise<void> {
  let left = count
  const uploads = Array.from({ length: UPLOADS_AT_ONCE }, async () => {
    const client = new HttpClient(node.url)
    while (left-- > 0)
      await client.putPhoto(randomBytes(photoBytes), `${node.pid}-${left}.bin`, 'application/octet-stream')
    client.close()
  })
  await Promise.all(uploads)
}

function areIdentical(all: readonly Status[]): boolean {
  const [first] = all
  return all.every(one => {
    const same = one.directory_digest === first?.directory_digest && one.bytes === first.bytes
    return same && one.repair.backlog_bytes === 0
  })
}

async function statusOf(node: NodeProcess): Promise<Status> {
  return (await (await fetch(`${node.url}/status`)).json()) as Status
}

async function aliveMembers(node: NodeProcess): Promise<number> {
  const { members } = (await (await fetch(`${node.url}/cluster`)).json()) as { members: { state: string }[] }
  return members.filter(({ state }) => state === 'alive').length
}

async function until(what: () => Promise<boolean>): Promise<void> {
  const startedAt = performance.now()
  while (!(await what())) {
    if (performance.now() - startedAt > GIVE_UP_MS) throw new Error('the nodes did not become identical')
    await wait(250)
  }
}
