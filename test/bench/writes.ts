import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { NodeProcess } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import type { Nginx } from './nginx.js'
import { type RoundsInit, rateOf, ratioOf } from './reads.js'
import type { Measure } from './report.js'
import { outputOf, runWrk, type WrkResult } from './wrk.js'

const CONNECTIONS = 16
const RATIO_MIN = 0.9

/**
 * PUT of 64 KB photos, each synced before its answer, against nginx WebDAV PUT, which does not sync, in turn A B A B.
 * Each round begins with an empty folder and a disk without dirty pages, so that nobody waits for the other's.
 *
 * @param scratch - a folder on the disk that is measured
 */
export async function measureWrites(nginx: Nginx | undefined, scratch: string, init: RoundsInit): Promise<Measure[]> {
  const body = join(scratch, 'body')
  writeFileSync(body, fakeJpeg(1, 65_536))
  const load = { script: 'wrk-put.lua', connections: CONNECTIONS, seconds: init.seconds } as const
  const rounds: { sheaf: WrkResult; nginx?: WrkResult }[] = []
  for (let round = 0; round < init.rounds; round++) {
    const dataDir = join(scratch, 'put-data')
    const node = await NodeProcess.start({ dataDir })
    const ours = { ...load, url: node.url, serverPid: node.pid }
    // compiled code for both: the yardstick has been running for long
    await runWrk({ ...ours, seconds: 1, args: [body, '/v1/photos?filename=w%d.jpg', '0'] })
    syncDisk()
    const sheaf = await runWrk({ ...ours, args: [body, '/v1/photos?filename=%d.jpg', '0'] })
    await node.stop()
    rmSync(dataDir, { recursive: true })
    if (nginx === undefined) {
      rounds.push({ sheaf })
      continue
    }
    syncDisk()
    const theirs = { ...load, url: nginx.url, serverPid: nginx.workerPid, args: [body, `/dav/${round}/%d.jpg`, '0'] }
    rounds.push({ sheaf, nginx: await runWrk(theirs) })
    await delay(200) // nginx may still be busy with what wrk left half sent
    await outputOf('rm', ['-rf', join(nginx.davDir, String(round))])
  }
  return [
    ratioOf('durable PUT 64 KB, ÷ nginx WebDAV PUT without sync', rounds, RATIO_MIN, `wrk -t1 -c${CONNECTIONS}`),
    rateOf('durable PUT 64 KB', rounds)
  ]
}

/** Waits until the disk has what was written before. */
function syncDisk(): void {
  spawnSync('sync')
}
