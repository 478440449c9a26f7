import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { tcpBytesPerSecond } from './raw-tcp.js'
import { atLeast, atMost, type Measure } from './report.js'

const PHOTO_BYTES = 65_536
const UPLOADS = 200
const UPLOADS_PER_S = 20
const CATCH_UP_PHOTOS = 1_500
const CATCH_UP_PHOTO_BYTES = 150_000

/** Three real nodes on loopback: how soon what one takes is on the others, and how fast an empty node catches up. */
export async function measureCluster(scratch: string): Promise<Measure[]> {
  const a = await NodeProcess.start({ dataDir: join(scratch, 'cluster-a') })
  const join1 = ['--join', a.p2p]
  const b = await NodeProcess.start({ dataDir: join(scratch, 'cluster-b'), flags: join1 })
  const c = await NodeProcess.start({ dataDir: join(scratch, 'cluster-c'), flags: join1 })
  await until(async () => (await members(b)) === 3 && (await members(c)) === 3)
  const spread = await measureSpread(a, b)
  const catchUp = await measureCatchUp(scratch, a)
  for (const node of [a, b, c]) await node.stop()
  return [...spread, catchUp]
}

async function measureSpread(a: NodeProcess, b: NodeProcess): Promise<Measure[]> {
  const client = new HttpClient(a.url)
  const seen: number[] = []
  const known: number[] = []
  const pending: Promise<void>[] = []
  for (let i = 0; i < UPLOADS; i++) {
    const due = wait(1000 / UPLOADS_PER_S)
    const { photo_id } = await client.putPhoto(fakeJpeg(i, PHOTO_BYTES), `${i}.jpg`)
    const from = performance.now()
    pending.push(
      until(async () => (await status(`${b.url}/photo/${photo_id}/meta`)).ok).then(() => {
        known.push(performance.now() - from)
      }),
      until(async () => (await status(`${b.url}/photo/${photo_id}`)).source === 'local').then(() => {
        seen.push(performance.now() - from)
      })
    )
    await due
  }
  await Promise.all(pending)
  client.close()
  const note = `${UPLOADS} uploads of 64 KB at ${UPLOADS_PER_S}/s to one of three nodes; from its answer, asked for in a loop`
  return [
    milliseconds('record visible on another node, p50', percentile(known, 0.5), 20, note),
    milliseconds("readable from another node's own disk, p50", percentile(seen, 0.5), 30, note),
    milliseconds("readable from another node's own disk, p99", percentile(seen, 0.99), 250, note)
  ]
}

async function measureCatchUp(scratch: string, a: NodeProcess): Promise<Measure> {
  const client = new HttpClient(a.url)
  for (let i = 0; i < CATCH_UP_PHOTOS; i++) await client.putPhoto(fakeJpeg(i, CATCH_UP_PHOTO_BYTES), `${i}.jpg`)
  client.close()
  const wanted = await bytesOf(a)
  const empty = await NodeProcess.start({ dataDir: join(scratch, 'cluster-empty'), flags: ['--join', a.p2p] })
  await until(async () => (await bytesOf(empty)) > 1_000_000)
  const [from, begun] = [performance.now(), await bytesOf(empty)]
  await until(async () => (await bytesOf(empty)) >= wanted)
  const perSecond = ((wanted - begun) / (performance.now() - from)) * 1000
  await empty.stop()
  const tcp = await tcpBytesPerSecond(wanted)
  return {
    name: 'catch-up of an empty node ÷ one raw TCP stream',
    value: `${(perSecond / tcp).toFixed(2)} ×`,
    number: perSecond / tcp,
    target: atLeast(0.4),
    note: `${(perSecond / 1e6).toFixed(0)} MB/s of ${(wanted / 1e6).toFixed(0)} MB, verified and synced, from three holders; TCP ${(tcp / 1e6).toFixed(0)} MB/s`
  }
}

function milliseconds(name: string, ms: number, msMax: number, note: string): Measure {
  return { name, value: `${ms.toFixed(1)} ms`, number: ms, target: atMost(msMax, `≤ ${msMax} ms`), note }
}

async function status(url: string): Promise<{ readonly ok: boolean; readonly source: string | null }> {
  const response = await fetch(url)
  await response.arrayBuffer()
  return { ok: response.ok, source: response.headers.get('x-sheaf-source') }
}

async function bytesOf(node: NodeProcess): Promise<number> {
  return ((await (await fetch(`${node.url}/status`)).json()) as { bytes: number }).bytes
}

async function members(node: NodeProcess): Promise<number> {
  const { members: all } = (await (await fetch(`${node.url}/cluster`)).json()) as { members: { state: string }[] }
  return all.filter(({ state }) => state === 'alive').length
}

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await wait(2)
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((x, y) => x - y)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
