import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HttpClient } from '../support/http-client.js'
import { NodeProcess, sheaf } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { cpuMs } from './cpu-time.js'
import { atLeast, type Measure, median } from './report.js'

const FILE_BYTES = 64 * 1_024
/** As `sheaf put` sends. */
const AT_ONCE = 4
const RATIO_MIN = 0.7

/**
 * `sheaf import` beside a bare loop that reads, hashes and sends the same files, in turn, each to a node of its own. The command's start
 * counts; a file is sent with its times, folder and digest, and asked for before.
 */
export async function measureImporting(scratch: string, files: number, rounds: number): Promise<Measure[]> {
  const folder = join(scratch, 'files')
  mkdirSync(folder, { recursive: true })
  for (let i = 0; i < files; i++) writeFileSync(join(folder, `${i}.jpg`), fakeJpeg(i, FILE_BYTES))
  process.env.XDG_STATE_HOME = join(scratch, 'state')
  const ours: Taken[] = []
  const bare: Taken[] = []
  for (let round = 0; round < rounds; round++) {
    bare.push(await taken(join(scratch, `bare-${round}`), url => sendAll(url, folder)))
    ours.push(
      await taken(join(scratch, `import-${round}`), async url => {
        const { code, stderr } = await sheaf(['import', folder], url)
        if (code !== 0) throw new Error(`the import failed: ${stderr}`)
      })
    )
  }
  const ratio = median(ours.map(({ seconds }, i) => (bare[i]?.seconds ?? 0) / seconds))
  const rate = (all: readonly Taken[]): string => (files / median(all.map(({ seconds }) => seconds))).toFixed(0)
  const nodeMs = (all: readonly Taken[]): string => (median(all.map(one => one.nodeMs)) / files).toFixed(1)
  return [
    {
      name: 'importing a folder, against a loop of hashes and PUTs',
      value: `${ratio.toFixed(2)} ×`,
      number: ratio,
      target: atLeast(RATIO_MIN),
      note: `${files} files of 64 KB: ${rate(ours)} a second, the loop, ${AT_ONCE} at once, ${rate(bare)}; the node takes ${nodeMs(ours)} and ${nodeMs(bare)} ms of CPU a file; the first import, with no journal`,
      rounds: { ours, bare }
    }
  ]
}

interface Taken {
  readonly seconds: number
  /** CPU time of the node. */
  readonly nodeMs: number
}

/** On a fresh node. */
async function taken(dataDir: string, work: (url: string) => Promise<void>): Promise<Taken> {
  const node = await NodeProcess.start({ dataDir })
  try {
    const [started, usedMs] = [performance.now(), cpuMs(node)]
    await work(node.url)
    return { seconds: (performance.now() - started) / 1_000, nodeMs: cpuMs(node) - usedMs }
  } finally {
    await node.stop()
  }
}

async function sendAll(url: string, folder: string): Promise<void> {
  const client = new HttpClient(url)
  const names = readdirSync(folder).values()
  const work = async (): Promise<void> => {
    for (const name of names) {
      const bytes = await readFile(join(folder, name))
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const receipt = await client.putPhoto(bytes, name)
      if (receipt.sha256 !== sha256) throw new Error(`${name} came otherwise`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  client.close()
}
