import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { atMost, type Measure, versionOf } from './report.js'

const PHOTO_COUNT = 500

/**
 * Counts what a restarted node asks of its disk to serve photos that it has not served before.
 *
 * @param dataDir - an empty folder for the node
 */
export async function measureDiskReads(dataDir: string): Promise<Measure> {
  const base = { name: 'disk reads per photo read', target: atMost(1) }
  if (versionOf('strace', ['-V']) === 'none') {
    return { ...base, value: '–', number: null, note: 'skipped: strace is not installed' }
  }
  const ids: string[] = []
  const filling = await NodeProcess.start({ dataDir })
  const filler = new HttpClient(filling.url)
  for (let index = 0; index < PHOTO_COUNT; index++) {
    ids.push((await filler.putPhoto(fakeJpeg(index, 30_000), `${index}.jpg`)).photo_id)
  }
  filler.close()

  const node = await filling.restart()
  const client = new HttpClient(node.url)
  const count = await countReads(node.pid, async () => {
    for (const id of ids) await client.photoDigest(id)
  })
  client.close()
  await node.stop()
  const perPhoto = count / PHOTO_COUNT
  return {
    ...base,
    value: perPhoto.toFixed(2),
    number: perPhoto,
    note: `strace: ${count} pread calls on volume files for ${PHOTO_COUNT} cold photos`
  }
}

/** @returns how many positioned reads of volume files the process made during `work` */
async function countReads(pid: number, work: () => Promise<void>): Promise<number> {
  const tracer = spawn('strace', ['-f', '-y', '-e', 'trace=pread64,preadv', '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let output = ''
  tracer.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  while (!output.includes('attached')) {
    if (tracer.exitCode !== null) throw new Error(`strace: ${output}`)
    await delay(20)
  }
  await work()
  tracer.kill('SIGINT')
  await once(tracer, 'close')
  return output.split('\n').filter(line => /pread(64|v)\(\d+<[^>]*\.volume>/.test(line)).length
}
