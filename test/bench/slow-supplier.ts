import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { CutNetwork, freePort, Uplink } from './cut-network.js'
import { atMost, type Measure } from './report.js'

const FAST = 20_000_000
const SLOW = FAST / 100
const PHOTOS = 2_000
const PHOTO_BYTES = 150_000
const POLL_MS = 50
/** Nobody listens there: the empty node dials the others, through their uplinks. */
const NOWHERE = '127.0.0.1:9'

interface Holder {
  readonly node: NodeProcess
  readonly way: string
  readonly uplink: Uplink
}

/** Three real nodes on loopback that hold everything: how soon an empty one has it from two, and from all with one slow. */
export async function measureSlowSupplier(scratch: string): Promise<Measure[]> {
  const network = new CutNetwork()
  const holders: Holder[] = []
  try {
    for (let i = 0; i < 3; i++)
      holders.push(await startHolder(join(scratch, `supplier-${i}`), network, holders[0]?.way))
    const [a, b, slow] = holders as [Holder, Holder, Holder]
    const client = new HttpClient(a.node.url)
    for (let i = 0; i < PHOTOS; i++)
      await client.putPhoto(randomBytes(PHOTO_BYTES), `${i}.bin`, 'application/octet-stream')
    client.close()
    const wanted = await bytesOf(a.node)
    for (const { node } of holders) while ((await bytesOf(node)) < wanted) await wait(POLL_MS)
    for (const { uplink } of [a, b]) uplink.bytesPerSecond = FAST
    slow.uplink.bytesPerSecond = SLOW
    const withSlowMs = await catchUp(join(scratch, 'supplied-by-three'), a, wanted)
    await slow.node.stop()
    const withoutMs = await catchUp(join(scratch, 'supplied-by-two'), a, wanted)
    const ratio = withSlowMs / withoutMs
    return [
      {
        name: 'catching up with one slow node among three, to without it',
        value: ratio.toFixed(2),
        number: ratio,
        target: atMost(2),
        note: `${Math.round(wanted / 1e6)} MB from two nodes with uplinks of 20 MB/s in ${(withoutMs / 1000).toFixed(1)} s; with a third of 200 kB/s in ${(withSlowMs / 1000).toFixed(1)} s`
      }
    ]
  } finally {
    await Promise.all(holders.map(({ node }) => node.kill9()))
    network.close()
  }
}

async function startHolder(dataDir: string, network: CutNetwork, join: string | undefined): Promise<Holder> {
  const port = await freePort()
  const uplink = new Uplink()
  const way = await network.wayTo(port, uplink)
  const flags = ['--p2p', `127.0.0.1:${port}`, '--advertise', way, ...(join === undefined ? [] : ['--join', join])]
  return { node: await NodeProcess.start({ dataDir, flags, logLevel: 'warn' }), way, uplink }
}

/** @returns from when the empty node is ready until it has everything, ms */
async function catchUp(dataDir: string, { way }: Holder, wanted: number): Promise<number> {
  const flags = ['--advertise', NOWHERE, '--join', way]
  const empty = await NodeProcess.start({ dataDir, flags, logLevel: 'warn' })
  const startedAt = performance.now()
  while ((await bytesOf(empty)) < wanted) await wait(POLL_MS)
  const ms = performance.now() - startedAt
  await empty.kill9()
  return ms
}

async function bytesOf(node: NodeProcess): Promise<number> {
  return ((await (await fetch(`${node.url}/status`)).json()) as { bytes: number }).bytes
}
