import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient } from '../support/http-client.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { recordOnlyPair } from '../support/record-only-pair.js'
import type { Measure } from './report.js'
import { compare, type Round, type RoundsInit } from './rounds.js'
import { runWrk } from './wrk.js'

const PHOTO_COUNT = 500
const PHOTO_BYTES = 65_536
const CONNECTIONS = 32
/** A hit may take 1.3 times as long as a read from this node's disk. */
const RATE_MIN = 0.77

/** GET by id of photos whose bytes another node has sent before, against photos on this node's disk, in turn A B A B. */
export async function measureCache(scratch: string, init: RoundsInit): Promise<Measure[]> {
  const photos = Array.from({ length: PHOTO_COUNT }, (_, i) => ({ bytes: fakeJpeg(i, PHOTO_BYTES), name: `${i}.jpg` }))
  const { holder, reader, ids } = await recordOnlyPair(scratch, photos)
  const client = new HttpClient(reader.url)
  const local: string[] = []
  for (const [i, { name }] of photos.entries())
    local.push((await client.putPhoto(fakeJpeg(PHOTO_COUNT + i, PHOTO_BYTES), name)).photo_id)
  for (const id of ids) await client.photo(id) // from the other node
  for (const id of [...ids, ...local]) await client.photo(id)
  const lists = { cached: join(scratch, 'cached'), local: join(scratch, 'local') }
  writeFileSync(lists.cached, ids.map(id => `/photo/${id}`).join('\n'))
  writeFileSync(lists.local, local.map(id => `/photo/${id}`).join('\n'))

  const before = await client.json<{ hits: number; misses: number }>('GET', '/cache/stats', 200)
  const load = { script: 'wrk-get.lua', connections: CONNECTIONS, seconds: init.seconds, url: reader.url } as const
  const run = (list: string) => runWrk({ ...load, serverPid: reader.pid, args: [list] })
  await run(lists.local)
  const rounds: Round[] = []
  for (let round = 0; round < init.rounds; round++)
    rounds.push({ sheaf: await run(lists.cached), yardstick: await run(lists.local) })
  const after = await client.json<{ hits: number; misses: number }>('GET', '/cache/stats', 200)
  if (after.misses !== before.misses || after.hits === before.hits)
    throw new Error(`the cache was not read: ${JSON.stringify({ before, after })}`)
  client.close()
  await holder.stop()
  await reader.stop()
  return compare(rounds, {
    name: 'GET 64 KB from the cache',
    yardstick: 'from the own disk',
    how: `wrk -t1 -c${CONNECTIONS}, ${PHOTO_COUNT} photos of another node`,
    rateMin: RATE_MIN,
    cpuMax: 1.3
  })
}
