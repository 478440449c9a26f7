import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { until } from '../support/until.js'
import { atLeast, type Measure, median, versionOf } from './report.js'

const PHOTO_BYTES = 1_000_000
const PHOTO_COUNT = 128
const VOLUME_BYTES = 32_000_000
const RATIO_MIN = 0.5
const SECRET = 'S3RVER'

/** The job, as it is asked for. */
interface Backup {
  readonly job_id: string
  readonly state: string
  readonly result?: { readonly bytes: number }
}

/**
 * A backup of a node's volumes to S3, which goes the way of the archive and reads all of it back, beside `rclone copy` of the
 * same files to the same server, in turn A B A B.
 */
export async function measureArchive(scratch: string, rounds: number): Promise<Measure[]> {
  const hasRclone = versionOf('rclone', ['version']) !== 'none'
  if (!hasRclone) console.error('RCLONE IS NOT INSTALLED (Debian: apt-get install rclone): no ratio to it')
  mkdirSync(scratch)
  const server = await startServer(join(scratch, 's3'))
  const credentials = join(scratch, 'credentials')
  writeFileSync(credentials, `${SECRET}\n${SECRET}\n`)
  const dataDir = join(scratch, 'data')
  const node = await NodeProcess.start({
    dataDir,
    flags: [
      ...['--archive-endpoint', server.endpoint, '--archive-bucket', 'photos', '--archive-credentials', credentials],
      ...['--volume-bytes', String(VOLUME_BYTES)]
    ]
  })
  const client = new HttpClient(node.url, { operatorToken: node.operatorToken })
  for (let i = 0; i < PHOTO_COUNT; i++) await client.putPhoto(fakeJpeg(i, PHOTO_BYTES), `${i}.jpg`)

  const ours: number[] = []
  const theirs: number[] = []
  const theirsReadBack: number[] = []
  for (let round = 0; round < rounds; round++) {
    ours.push(await bytesPerSecond(() => backUp(client, `s3://photos/sheaf-${round}`)))
    if (!hasRclone) continue
    const [from, to] = [join(dataDir, 'volumes'), `s3:photos/rclone-${round}`]
    const rate = await bytesPerSecond(() => rclone(server.endpoint, 'copy', from, to))
    const readBackRate = await bytesPerSecond(() => rclone(server.endpoint, 'check', '--download', from, to))
    theirs.push(rate)
    theirsReadBack.push(1 / (1 / rate + 1 / readBackRate))
  }
  client.close()
  await node.stop()
  await server.stop()

  return [
    {
      ...ratioMeasure('volumes to S3 ÷ rclone copy', ours, theirs),
      target: atLeast(RATIO_MIN),
      rounds: { ours, theirs, theirsReadBack }
    },
    ratioMeasure('volumes to S3 ÷ rclone copy and check --download', ours, theirsReadBack),
    {
      name: 'volumes to S3',
      value: megabytes(ours),
      number: median(ours),
      note: `${(PHOTO_COUNT * PHOTO_BYTES) / 1e6} MB, each piece read back and hashed${hasRclone ? `; rclone ${megabytes(theirs)}, with the check ${megabytes(theirsReadBack)}` : ''}`
    }
  ]
}

function ratioMeasure(name: string, ours: readonly number[], theirs: readonly number[]): Measure {
  if (theirs.length === 0) return { name, value: '–', number: null, note: 'skipped: RCLONE IS NOT INSTALLED' }
  const ratios = ours.map((rate, i) => rate / (theirs[i] as number))
  const span = `rounds ${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  const ratio = median(ratios)
  return { name, value: `${ratio.toFixed(2)} ×`, number: ratio, note: `the same files to the same server; ${span}` }
}

const megabytes = (rates: readonly number[]): string => `${(median(rates) / 1e6).toFixed(0)} MB/s`

async function bytesPerSecond(upload: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await upload()
  return ((PHOTO_COUNT * PHOTO_BYTES) / (performance.now() - from)) * 1e3
}

async function backUp(client: HttpClient, target: string): Promise<void> {
  const body = Buffer.from(JSON.stringify({ target }))
  const options = { headers: { 'content-type': 'application/json' }, body }
  let job = JSON.parse((await client.request('POST', '/v1/admin/backup', options)).body.toString()) as Backup
  const hasEnded = async (): Promise<boolean> => {
    job = await client.json<Backup>('GET', `/v1/admin/jobs/${job.job_id}`, 200)
    return job.state !== 'queued' && job.state !== 'running'
  }
  await until('the backup has ended', 60_000, hasEnded, 10)
  if ((job.result?.bytes ?? 0) < PHOTO_COUNT * PHOTO_BYTES) throw new Error(`the backup: ${JSON.stringify(job)}`)
}

async function rclone(endpoint: string, ...args: readonly string[]): Promise<void> {
  const env = {
    ...process.env,
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_S3_TYPE: 's3',
    RCLONE_CONFIG_S3_PROVIDER: 'Other',
    RCLONE_CONFIG_S3_ENDPOINT: endpoint,
    RCLONE_CONFIG_S3_ACCESS_KEY_ID: SECRET,
    RCLONE_CONFIG_S3_SECRET_ACCESS_KEY: SECRET,
    AWS_CA_BUNDLE: undefined // rclone does not start with it
  }
  await promisify(execFile)('rclone', [...args, '--include', '*.volume', '--retries', '1'], { env })
}

async function startServer(directory: string) {
  const main = fileURLToPath(new URL('./s3rver-main.ts', import.meta.url))
  const child = fork(main, [directory], { execArgv: ['--import', 'tsx'] })
  const ended = once(child, 'exit')
  const [port] = await Promise.race([once(child, 'message'), ended])
  if (!child.connected) throw new Error(`the S3 server ended with ${port}`)
  const stop = async (): Promise<void> => {
    child.disconnect()
    await ended
  }
  return { endpoint: `http://127.0.0.1:${port}`, stop }
}
