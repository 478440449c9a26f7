import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient, type UploadReceipt } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { fakeJpeg, noiseSha256, noiseStream } from '../support/photo-maker.js'
import { atMost, type Measure } from './report.js'

const RISE_BYTES_MAX = 100e6

/** One large file up and down through a fresh node; its bytes are checked. */
export async function measureLargeFile(scratch: string, byteCount: number): Promise<Measure[]> {
  const dataDir = join(scratch, 'large-data')
  const node = await NodeProcess.start({ dataDir })
  const client = new HttpClient(node.url, { timeoutMs: 300_000 })
  const { photo_id: warm } = await client.putPhoto(fakeJpeg(1, 20e6), 'warm-up.jpg')
  await client.photoDigest(warm)

  const up = await timed(() =>
    node.whileWatchingMemory(() => client.put(noiseStream(1, byteCount), { filename: 'large.bin', byteCount }))
  )
  if (up.result.result.status !== 201) throw new Error(`upload: ${up.result.result.status} ${up.result.result.body}`)
  const { photo_id } = JSON.parse(up.result.result.body.toString()) as UploadReceipt
  const down = await timed(() => node.whileWatchingMemory(() => client.photoDigest(photo_id)))
  if (down.result.result.sha256 !== noiseSha256(1, byteCount)) throw new Error('the large file came back wrong')
  client.close()
  await node.stop()
  rmSync(dataDir, { recursive: true })

  const name = `${Math.round(byteCount / 2 ** 20)} MiB`
  return [
    rise(`upload of ${name}: resident set`, up.result.riseBytes, byteCount, up.ms),
    rise(`download of ${name}: resident set`, down.result.riseBytes, byteCount, down.ms)
  ]
}

function rise(name: string, riseBytes: number, byteCount: number, ms: number): Measure {
  return {
    name,
    value: `+ ${(riseBytes / 1e6).toFixed(0)} MB`,
    number: riseBytes,
    target: atMost(RISE_BYTES_MAX, '< 100 MB'),
    note: `${(byteCount / 1e3 / ms).toFixed(0)} MB/s through one Node client that hashes`
  }
}

async function timed<Result>(work: () => Promise<Result>): Promise<{ readonly result: Result; readonly ms: number }> {
  const start = performance.now()
  return { result: await work(), ms: performance.now() - start }
}
