import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { MetricsRegistry } from '../../src/core/metrics.js'
import { systemRandom } from '../../src/core/random.js'
import type { PhotoId } from '../../src/domain/ids.js'
import { HotPath } from '../../src/http/native/hot-path.js'
import { HostGuard } from '../../src/http/wire/host-guard.js'
import { HttpMeter } from '../../src/http/wire/http-meter.js'
import { RequestIds } from '../../src/http/wire/request-ids.js'
import type { ContentHead } from '../../src/photos/photo-types.js'
import { atMost, type Measure } from './report.js'

const PHOTO_BYTES = 4_096
const READS = 100_000
const ROUNDS = 7
const COST_NS_MAX = 250

/**
 * What counting and timing cost a hot read: the hot path with a read from the page cache, but without a socket, with and
 * without the meter in turn.
 */
export async function measureMetering(scratch: string): Promise<Measure[]> {
  const folder = mkdtempSync(join(scratch, 'metering-'))
  const file = join(folder, 'photo')
  writeFileSync(file, Buffer.alloc(PHOTO_BYTES, 1))
  const fd = openSync(file, 'r')
  const data = Buffer.alloc(PHOTO_BYTES)
  const id = '01890000-0000-7000-8000-000000000000' as PhotoId
  const head = {
    photoId: id,
    size: PHOTO_BYTES,
    etag: '"x"',
    name: 'a.jpg',
    contentType: 'image/jpeg',
    lastModifiedMs: 0
  }
  const openHot = () => {
    readSync(fd, data, 0, PHOTO_BYTES, 0)
    return { head: head as unknown as ContentHead, source: 'local' as const, lease: { data, release: () => {} } }
  }
  const path = new HotPath({
    photosOf: () => ({ openHot }),
    guard: new HostGuard([]),
    ids: new RequestIds(systemRandom),
    principals: { needAccount: false, rememberedOf: () => ({ kind: 'anonymous' }) }
  })
  const meter = new HttpMeter({ metrics: new MetricsRegistry({ log: silentLog }), clock: systemClock })
  const request = { method: 'GET', url: `/photo/${id}`, rawHeaders: ['Host', '127.0.0.1:8000'] } as IncomingMessage
  const response = {
    socket: {},
    once: () => {},
    setHeader: () => {},
    writeHead: () => {},
    end: () => {}
  } as unknown as ServerResponse
  const bare = (): boolean => path.answer(request, response)
  const metered = (): boolean => {
    const startedAtMs = systemClock.monotonic()
    const isAnswered = path.answer(request, response)
    if (isAnswered) meter.hot(startedAtMs)
    return isAnswered
  }
  const rounds: { readonly bareNs: number; readonly meteredNs: number }[] = []
  for (let round = 0; round <= ROUNDS; round++) rounds.push({ bareNs: nsEach(bare), meteredNs: nsEach(metered) })
  closeSync(fd)
  rmSync(folder, { recursive: true })
  rounds.shift() // for the compiler
  const bareNs = median(rounds.map(round => round.bareNs))
  const costNs = median(rounds.map(round => round.meteredNs - round.bareNs))
  return [
    {
      name: 'counting a hot read',
      value: `${costNs.toFixed(0)} ns`,
      number: costNs,
      target: atMost(COST_NS_MAX, `≤ ${COST_NS_MAX} ns`),
      note: `${(1 + costNs / bareNs).toFixed(3)} × the CPU of the read without it, of which the socket is left out`,
      rounds
    }
  ]
}

/** @returns CPU of one call */
function nsEach(call: () => boolean): number {
  const before = process.cpuUsage()
  for (let i = 0; i < READS; i++) if (!call()) throw new Error('the hot path did not answer')
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / READS
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] as number
}
