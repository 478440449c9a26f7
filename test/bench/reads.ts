import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HttpClient } from '../support/http-client.js'
import type { NodeProcess } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import type { Nginx } from './nginx.js'
import { atLeast, type Measure, median } from './report.js'
import { runWrk, type WrkResult } from './wrk.js'

export interface RoundsInit {
  readonly rounds: number
  readonly seconds: number
}

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
  const rounds: { sheaf: WrkResult; nginx?: WrkResult }[] = []
  for (let round = 0; round < init.rounds; round++) {
    const sheaf = await runWrk(ours)
    if (nginx === undefined) rounds.push({ sheaf })
    else {
      const theirs = { ...load, url: nginx.url, serverPid: nginx.workerPid, args: [lists.files] }
      rounds.push({ sheaf, nginx: await runWrk(theirs) })
    }
  }
  return [
    ratioOf(
      `GET ${photoBytes / 1024} KB by id, ÷ nginx static`,
      rounds,
      init.ratioMin,
      `wrk -t1 -c${CONNECTIONS}, 1000 photos`
    ),
    rateOf(`GET ${photoBytes / 1024} KB by id`, rounds)
  ]
}

/** @returns the median of the ratios of the rounds, each to the yardstick's round right after it */
export function ratioOf(
  name: string,
  rounds: readonly { sheaf: WrkResult; nginx?: WrkResult }[],
  ratioMin: number,
  how: string
): Measure {
  const ratios = rounds.flatMap(({ sheaf, nginx }) =>
    nginx === undefined ? [] : [sheaf.requestsPerS / nginx.requestsPerS]
  )
  const target = { target: atLeast(ratioMin) }
  if (ratios.length === 0) return { name, value: '–', number: null, ...target, note: 'skipped: nginx is not installed' }
  const ratio = median(ratios)
  const span = `rounds ${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`
  return { name, value: `${ratio.toFixed(2)} ×`, number: ratio, ...target, note: `${how}; ${span}`, rounds }
}

export function rateOf(name: string, rounds: readonly { sheaf: WrkResult; nginx?: WrkResult }[]): Measure {
  const rate = median(rounds.map(({ sheaf }) => sheaf.requestsPerS))
  const describe = (of: readonly WrkResult[]): string =>
    [
      `p50 ${median(of.map(({ p50Ms }) => p50Ms)).toFixed(1)} ms`,
      `p99 ${median(of.map(({ p99Ms }) => p99Ms)).toFixed(1)} ms`,
      `${median(of.map(({ cpuUs }) => cpuUs)).toFixed(0)} µs CPU each`
    ].join(', ')
  const nginx = rounds.flatMap(round => (round.nginx === undefined ? [] : [round.nginx]))
  const theirs =
    nginx.length === 0 ? '' : `; nginx ${median(nginx.map(one => one.requestsPerS)).toFixed(0)}/s, ${describe(nginx)}`
  return {
    name,
    value: `${rate.toFixed(0)}/s`,
    number: rate,
    note: `${describe(rounds.map(({ sheaf }) => sheaf))}${theirs}`
  }
}
