import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient } from '../support/http-client.js'
import type { NodeProcess } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import type { Nginx } from './nginx.js'
import type { Measure } from './report.js'
import { compare, type Round, type RoundsInit } from './rounds.js'
import { runWrk } from './wrk.js'

const PHOTO_COUNT = 1_000
const CONNECTIONS = 32

/**
 * GET by id of 1,000 distinct photos against nginx serving the same bytes as static files, in turn A B A B.
 *
 * @param scratch - a folder for the lists of paths
 */
export async function measureReads(
  node: NodeProcess,
  nginx: Nginx | undefined,
  scratch: string,
  init: RoundsInit & { readonly photoBytes: number; readonly ratioMin: number }
): Promise<Measure[]> {
  const { photoBytes } = init
  const client = new HttpClient(node.url)
  const paths: string[] = []
  const files: string[] = []
  for (let index = 0; index < PHOTO_COUNT; index++) {
    const bytes = fakeJpeg(index, photoBytes)
    const { photo_id } = await client.putPhoto(bytes, `${index}.jpg`)
    paths.push(`/photo/${photo_id}`)
    // a path as long as the photo's, so that both servers parse the same
    files.push(`/static/${photo_id}-${photoBytes}.jpg`)
    if (nginx !== undefined) writeFileSync(join(nginx.staticDir, `${photo_id}-${photoBytes}.jpg`), bytes)
  }
  client.close()
  const lists = { paths: join(scratch, `paths-${photoBytes}`), files: join(scratch, `files-${photoBytes}`) }
  writeFileSync(lists.paths, paths.join('\n'))
  writeFileSync(lists.files, files.join('\n'))

  const load = { script: 'wrk-get.lua', connections: CONNECTIONS, seconds: init.seconds } as const
  const ours = { ...load, url: node.url, serverPid: node.pid, args: [lists.paths] }
  await runWrk({ ...ours, seconds: 1 })
  const rounds: Round[] = []
  for (let round = 0; round < init.rounds; round++) {
    const sheaf = await runWrk(ours)
    const theirs = nginx && { ...load, url: nginx.url, serverPid: nginx.workerPid, args: [lists.files] }
    rounds.push({ sheaf, yardstick: theirs && (await runWrk(theirs)) })
  }
  return compare(rounds, {
    name: `GET ${photoBytes / 1024} KB by id`,
    yardstick: 'nginx static',
    how: `wrk -t1 -c${CONNECTIONS}, 1000 photos`,
    rateMin: init.ratioMin
  })
}
