import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { noiseBytes } from '../support/photo-maker.js'
import { atMost, type Measure } from './report.js'

const SLOW_BYTES = 8 * 2 ** 20
/** What each slow upload has sent before it begins to trickle. */
const HEAD_START_BYTES = 4 * 2 ** 20
const TRICKLE_MS = 100
const UPLOADS = 300
const PHOTO_BYTES = 1_000_000
const ROUNDS = 3
const P99_MAX = 2

/** What uploads that trickle cost another one, which comes alone: the eighty have together sent far more than memory holds. */
export async function measureSlowUploads(scratch: string): Promise<Measure[]> {
  const node = await NodeProcess.start({ dataDir: join(scratch, 'slow-uploads'), flags: ['--model', 'none'] })
  const client = new HttpClient(node.url)
  const ports = Number(new URL(node.url).port)
  try {
    const rounds: { readonly count: number; readonly ms: number }[] = []
    await p99Ms(client, 0)
    for (let round = 0; round < ROUNDS; round++) {
      for (const count of [0, 8, 80]) {
        const slow = await Promise.all(Array.from({ length: count }, () => trickle(ports)))
        rounds.push({ count, ms: await p99Ms(client, round) })
        for (const { socket, timer } of slow) {
          clearInterval(timer)
          socket.destroy()
        }
      }
    }
    const of = (count: number): number => median(rounds.filter(one => one.count === count).map(({ ms }) => ms))
    return [8, 80].map(count => ({
      name: `an upload beside ${count} slow ones`,
      value: `p99 ${of(count).toFixed(1)} ms, ${(of(count) / of(0)).toFixed(2)} ×`,
      number: of(count) / of(0),
      target: atMost(P99_MAX, `≤ ${P99_MAX} × alone`),
      note: `alone ${of(0).toFixed(1)} ms; 1 MB each; the slow ones have sent 4 MB and add 1 KB ten times a second`,
      rounds
    }))
  } finally {
    client.close()
    await node.stop()
  }
}

async function p99Ms(client: HttpClient, round: number): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < UPLOADS; i++) {
    const bytes = noiseBytes(round * UPLOADS + i, PHOTO_BYTES)
    const startedAt = performance.now()
    await client.putPhoto(bytes, 'a')
    times.push(performance.now() - startedAt)
  }
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.99)] as number
}

/** An upload that has sent its head start, and goes on sending a little. */
async function trickle(port: number): Promise<{ readonly socket: Socket; readonly timer: NodeJS.Timeout }> {
  const socket = connect({ port, host: '127.0.0.1' })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.write(`PUT /v1/photos HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${SLOW_BYTES}\r\n\r\n`)
  await new Promise<void>(resolve => socket.write(Buffer.alloc(HEAD_START_BYTES, 1), () => resolve()))
  return { socket, timer: setInterval(() => socket.write(Buffer.alloc(1024, 1)), TRICKLE_MS) }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] as number
}
