import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NodeProcess } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { BareWriter } from './bare-writer.js'
import type { Measure } from './report.js'
import { compare, type Round, type RoundsInit } from './rounds.js'
import { runWrk, type WrkResult } from './wrk.js'

const CONNECTIONS = 16
const BODY_BYTES = 65_536

interface Server {
  readonly url: string
  readonly pid: number
}

/**
 * PUT of 64 KB photos, each synced before its answer, against a bare loop that does no more than receive, hash, append and
 * sync, in turn A B A B. Each round begins with a fresh process, an empty folder and a disk without dirty pages, so that
 * nobody waits for the other's.
 *
 * @param scratch - a folder on the disk that is measured
 */
export async function measureWrites(scratch: string, init: RoundsInit): Promise<Measure[]> {
  const body = join(scratch, 'body')
  writeFileSync(body, fakeJpeg(1, BODY_BYTES))
  const load = ({ url, pid }: Server, seconds: number): Promise<WrkResult> => {
    const args = [body, '/v1/photos?filename=%d.jpg', '0']
    return runWrk({ script: 'wrk-put.lua', connections: CONNECTIONS, seconds, url, serverPid: pid, args })
  }
  const measure = async (server: Server): Promise<WrkResult> => {
    await load(server, 1) // compiled code for both
    syncDisk()
    return load(server, init.seconds)
  }
  const rounds: Round[] = []
  for (let round = 0; round < init.rounds; round++) {
    const dataDir = join(scratch, 'put-data')
    const node = await NodeProcess.start({ dataDir })
    const sheaf = await measure(node)
    await node.stop()
    rmSync(dataDir, { recursive: true })

    const file = join(scratch, 'put-bare')
    const bare = await BareWriter.start(file)
    const yardstick = await measure(bare)
    await bare.stop()
    rmSync(file)
    rounds.push({ sheaf, yardstick })
  }
  return compare(rounds, {
    name: `durable PUT ${BODY_BYTES / 1024} KB`,
    yardstick: 'bare loop',
    how: `wrk -t1 -c${CONNECTIONS}; the loop receives, hashes, appends and shares each fdatasync`
  })
}

/** Waits until the disk has what was written before. */
function syncDisk(): void {
  spawnSync('sync')
}
