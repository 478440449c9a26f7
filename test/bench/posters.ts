import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LookAtFileComponents, lookAtFile } from '../../src/search/look-at-file.js'
import { fileOfBytes } from '../../src/search/readable-file.js'
import { readHead } from '../../src/similarity/images/heads/read-head.js'
import type { Analysis } from '../../src/similarity/images/image-analyzer.js'
import { configureDecoding, openPreview } from '../../src/similarity/images/picture.js'
import { thumbHash } from '../../src/similarity/images/thumb-hash.js'
import { makeVariants } from '../../src/similarity/images/variants.js'
import { Ffmpeg } from '../../src/similarity/videos/ffmpeg.js'
import { type Measure, versionOf } from './report.js'

const ROUNDS = 10
/** Of /proc/PID/stat. */
const TICKS_PER_SECOND = 100
const SECONDS = 3

/** As telephones film: the picture at one second is not the first one. */
const MOVIES = {
  '1080p, H.264': ['1920x1080', 'libx264'],
  '4K, HEVC': ['3840x2160', 'libx265']
} as const

interface Cost {
  readonly movieBytes: number
  /** Of each, CPU ms for one poster: reading the head and cutting out a picture, `ffmpeg`, and sizes of what it made. */
  readonly cutMs: number
  readonly programMs: number
  readonly sizesMs: number
}

/** What the poster of a video takes, and which part of that is whose. */
export async function measurePosters(scratch: string): Promise<Measure[]> {
  const costs = versionOf('ffmpeg', ['-version']) === 'none' ? undefined : await costsIn(scratch)
  return Object.keys(MOVIES).map(name => {
    const cost = costs?.[name]
    const whole = cost && cost.cutMs + cost.programMs + cost.sizesMs
    return {
      name: `poster of a video of ${name}, CPU`,
      value: whole === undefined ? 'not measured' : `${whole.toFixed(0)} ms`,
      number: whole ?? null,
      note:
        cost === undefined
          ? 'ffmpeg is not here (Debian: ffmpeg)'
          : `${cost.cutMs.toFixed(1)} ms head and one picture of ${(cost.movieBytes / 2 ** 20).toFixed(1)} MiB, ` +
            `${cost.programMs.toFixed(0)} ms ffmpeg, ${cost.sizesMs.toFixed(0)} ms sizes and ThumbHash`,
      rounds: cost
    }
  })
}

async function costsIn(scratch: string): Promise<Record<string, Cost>> {
  mkdirSync(scratch, { recursive: true })
  configureDecoding()
  const ffmpeg = await Ffmpeg.find('ffmpeg')
  const costs: Record<string, Cost> = {}
  for (const [name, [size, codec]] of Object.entries(MOVIES)) {
    const path = join(scratch, `${codec}.mp4`)
    const source = `testsrc2=size=${size}:rate=30:duration=${SECONDS},noise=alls=8:allf=t`
    const coding = ['-c:v', codec, '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '30']
    execFileSync('ffmpeg', ['-y', '-v', 'error', '-f', 'lavfi', '-i', source, ...coding, path], { stdio: 'ignore' })
    costs[name] = await costOf(ffmpeg, readFileSync(path))
  }
  return costs
}

async function costOf(ffmpeg: Ffmpeg, bytes: Buffer): Promise<Cost> {
  let sizesMs = 0
  const analyzer: LookAtFileComponents['analyzer'] = {
    readHead: ({ source, hints }) => readHead(source, hints),
    analyze: async request => {
      const begun = ownMs()
      const picture = await openPreview(request.bytes as Buffer, request.preview?.orientation)
      const thumbhash = await thumbHash(picture.input)
      const variants = await makeVariants(picture)
      sizesMs += ownMs() - begun
      const { width, height, state } = picture
      return { width, height, state, thumbhash, variants } satisfies Analysis
    }
  }
  const look = { format: 'mp4', outputs: { facts: true, features: undefined }, priority: 'backlog' } as const
  const once = (): Promise<Analysis> =>
    lookAtFile({ analyzer, ffmpeg }, fileOfBytes(bytes), look, new AbortController().signal)
  await once()
  sizesMs = 0
  const [own, children] = [ownMs(), childrenMs()]
  for (let i = 0; i < ROUNDS; i++) await once()
  return {
    movieBytes: bytes.length,
    cutMs: (ownMs() - own - sizesMs) / ROUNDS,
    programMs: (childrenMs() - children) / ROUNDS,
    sizesMs: sizesMs / ROUNDS
  }
}

function ownMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

/** @returns CPU of the processes that this one has started and that have ended */
function childrenMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? []
  const [user = 0, system = 0] = fields.slice(13, 15).map(Number)
  return ((user + system) / TICKS_PER_SECOND) * 1_000
}
