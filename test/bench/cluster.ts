import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { tcpBytesPerSecond } from './raw-tcp.js'
import { atLeast, atMost, type Measure, median } from './report.js'

/** Not to be measured with it: what is found out about pictures. */
const BINARY = 'application/octet-stream'
const PHOTO_BYTES = 65_536
const UPLOADS = 200
const UPLOADS_PER_S = 20
const CATCH_UP_PHOTOS = 3_000
const CATCH_UP_PHOTO_BYTES = 150_000
/** Of the catch-up; in the last one photos are read meanwhile. */
const ROUNDS = 4
const POLL_MS = 25
const QUIET_MS = 3_000
const READ_PAUSE_MS = 5
const NO_MODEL = ['--model', 'none']

/** Three real nodes on loopback: how soon what one takes is on the others, and how fast an empty node catches up. */
export async function measureCluster(scratch: string): Promise<Measure[]> {
  const a = await NodeProcess.start({ dataDir: join(scratch, 'cluster-a'), flags: NO_MODEL })
  const join1 = ['--join', a.p2p, ...NO_MODEL]
  const b = await NodeProcess.start({ dataDir: join(scratch, 'cluster-b'), flags: join1 })
  const c = await NodeProcess.start({ dataDir: join(scratch, 'cluster-c'), flags: join1 })
  await until(async () => (await members(b)) === 3 && (await members(c)) === 3)
  const spread = await measureSpread(a, b)
  const catchUp = await measureCatchUp(scratch, a)
  for (const node of [a, b, c]) await node.stop()
  return [...spread, ...catchUp]
}

async function measureSpread(a: NodeProcess, b: NodeProcess): Promise<Measure[]> {
  const client = new HttpClient(a.url)
  const seen: number[] = []
  const known: number[] = []
  const pending: Promise<void>[] = []
  for (let i = 0; i < UPLOADS; i++) {
    const due = wait(1000 / UPLOADS_PER_S)
    const { photo_id } = await client.putPhoto(randomBytes(PHOTO_BYTES), `${i}.bin`, BINARY)
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

async function measureCatchUp(scratch: string, a: NodeProcess): Promise<Measure[]> {
  const client = new HttpClient(a.url)
  const ids: string[] = []
  for (let i = 0; i < CATCH_UP_PHOTOS; i++) {
    const { photo_id } = await client.putPhoto(randomBytes(CATCH_UP_PHOTO_BYTES), `${i}.bin`, BINARY)
    ids.push(photo_id)
  }
  client.close()
  const wanted = await bytesOf(a)
  const quietMs = await readWhile([a.url], ids, () => wait(QUIET_MS))
  const perSecond: number[] = []
  const busyMs: number[] = []
  const tcp: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const empty = await NodeProcess.start({
      dataDir: join(scratch, `cluster-empty-${round}`),
      flags: ['--join', a.p2p, ...NO_MODEL]
    })
    await until(async () => (await bytesOf(empty)) > 1_000_000, POLL_MS)
    const reading = round === ROUNDS - 1 // the others show how fast it is undisturbed
    const [from, begun] = [performance.now(), await bytesOf(empty)]
    const done = until(async () => (await bytesOf(empty)) >= wanted, POLL_MS)
    if (reading) busyMs.push(...(await readWhile([a.url, empty.url], ids, () => done)))
    await done
    if (!reading) perSecond.push(((wanted - begun) / (performance.now() - from)) * 1000)
    await empty.stop()
    tcp.push(await tcpBytesPerSecond(wanted))
  }
  const [ours, theirs] = [median(perSecond), median(tcp)]
  const p99 = percentile(busyMs, 0.99)
  return [
    {
      name: 'catch-up of an empty node ÷ one raw TCP stream',
      value: `${(ours / theirs).toFixed(2)} ×`,
      number: ours / theirs,
      target: atLeast(0.4),
      note: `${(ours / 1e6).toFixed(0)} MB/s of ${(wanted / 1e6).toFixed(0)} MB, verified and synced, from three holders; TCP ${(theirs / 1e6).toFixed(0)} MB/s`
    },
    {
      name: 'reads while a node catches up, p99',
      value: `${p99.toFixed(1)} ms`,
      number: p99,
      note: `from it and from one that supplies it, one after the other; ${percentile(quietMs, 0.99).toFixed(1)} ms without; p50 ${percentile(busyMs, 0.5).toFixed(1)} and ${percentile(quietMs, 0.5).toFixed(1)} ms`
    }
  ]
}

/** Reads photos one after the other, from the nodes in turn, while `work` goes on. @returns how long each took, ms */
async function readWhile(
  urls: readonly string[],
  ids: readonly string[],
  work: () => Promise<void>
): Promise<number[]> {
  const taken: number[] = []
  let working = true
  const reading = (async () => {
    for (let i = 0; working; i++) {
      const from = performance.now()
      const { ok } = await status(`${urls[i % urls.length]}/photo/${ids[(i * 7) % ids.length]}`)
      if (ok) taken.push(performance.now() - from) // a record that is not there yet is no read
      await wait(READ_PAUSE_MS)
    }
  })()
  await work()
  working = false
  await reading
  return taken
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

async function until(what: () => Promise<boolean>, pauseMs = 2): Promise<void> {
  while (!(await what())) await wait(pauseMs)
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((x, y) => x - y)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
