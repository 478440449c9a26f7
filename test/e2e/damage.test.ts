import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { runJob } from '../support/admin-job.js'
import { type HttpClient, NoAnswer } from '../support/http-client.js'
import { killAllNodes, type NodeProcess } from '../support/node-process.js'
import { announceSeed, SeededRandom } from '../support/photo-maker.js'
import { FilledNode, faultsOfVerify, judge, type Loss } from './damage/filled-node.js'
import {
  filesBelow,
  flipBit,
  type NeedleOnDisk,
  needlesIn,
  presentNeedles,
  volumeFiles
} from './damage/volume-files.js'

const seed = announceSeed('damage')
let filled: FilledNode

beforeAll(async () => {
  filled = await FilledNode.make(seed)
  return () => filled.remove()
}, 60_000)
afterEach(killAllNodes)

const isLive = ({ photoId }: NeedleOnDisk): boolean => filled.live.some(({ id }) => id === photoId)
const levelFiles = (dataDir: string): string[] =>
  filesBelow(dataDir).filter(path => /(\.ldb|\.log|CURRENT|MANIFEST-\d+)$/.test(path))
const indexFiles = (dataDir: string): string[] => filesBelow(dataDir).filter(path => path.endsWith('.index'))

/** Lines that an operator would look at. */
const warnings = (node: NodeProcess): string[] =>
  node.log().flatMap(line => (line.level >= 40 ? [`${line.msg} ${JSON.stringify(line)}`] : []))

/** @throws unless all that `loss` spares is served and a new photo goes in and out */
async function expectWhole(client: HttpClient, loss: Loss = {}): Promise<void> {
  expect(await judge(client, filled.photos, loss)).toEqual([])
  const { photo_id } = await client.putPhoto(Buffer.from('after the damage'), 'after.jpg')
  expect((await client.photo(photo_id)).body.toString()).toBe('after the damage')
}

/** Needles of live photos to hurt, for which none of an earlier life stands in: the first, the last, the one after a restart and a middle one of each volume. */
function victims(dataDir: string, kind: NeedleOnDisk['kind'], count: number): NeedleOnDisk[] {
  const isSole = (needle: NeedleOnDisk): boolean => needle.kind === kind && needle.generation === 0
  const all = presentNeedles(dataDir).filter(needle => isSole(needle) && isLive(needle))
  const random = new SeededRandom(seed)
  return [all[0], all.at(-1), ...Array.from({ length: count - 2 }, () => random.pick(all))].filter(
    needle => needle !== undefined
  )
}

describe('a flipped bit', () => {
  it('in the data of a needle is never served, and costs no other photo', async () => {
    const dataDir = filled.copy()
    const hurt = victims(dataDir, 'data', 5)
    for (const [bit, { file, dataAt, footerAt }] of hurt.entries()) {
      flipBit(file, dataAt + Math.floor(((footerAt - dataAt - 1) * bit) / hurt.length), bit)
    }
    const damaged = hurt.map(({ photoId }) => photoId)
    await filled.serve(dataDir, async (client, node) => {
      await expectWhole(client, { damaged })
      expect(warnings(node).join('\n')).toMatch(/damage|corrupt/i)
      expect((await faultsOfVerify(client)).length).toBeGreaterThanOrEqual(new Set(damaged).size)
      for (const id of damaged) {
        // one of several chunks may have begun well and is then cut off
        const answer = await client.photo(id).catch(err => {
          if (!(err instanceof NoAnswer)) throw err
          return undefined
        })
        if (answer?.status === 503) expect(answer.headers['retry-after']).toBeDefined()
        expect((await client.remove(id)).status).toBe(200)
        expect((await client.photo(id)).status).toBe(410)
      }
    })
  })

  it('in a header or a footer costs at most the photo of that needle', async () => {
    for (const place of ['header', 'footer'] as const) {
      const dataDir = filled.copy()
      const hurt = victims(dataDir, 'data', 4)
      for (const [bit, { file, offset, footerAt, end }] of hurt.entries()) {
        const [from, to] = place === 'header' ? [offset, offset + 64] : [footerAt, end]
        flipBit(file, from + Math.floor(((to - from - 1) * bit) / hurt.length), bit)
      }
      const doubtful = hurt.map(({ photoId }) => photoId)
      await filled.serve(dataDir, client => expectWhole(client, { doubtful }))
    }
  })

  it('in every record needle costs nothing while the directory has the record', async () => {
    const dataDir = filled.copy()
    for (const { kind, file, dataAt } of presentNeedles(dataDir)) if (kind === 'record') flipBit(file, dataAt + 3)
    await filled.serve(dataDir, async client => {
      await expectWhole(client)
      await runJob(client, 'rebuild-directory') // joins what the volumes say to what the directory has
      await expectWhole(client)
    })
  })

  it('without index files and without a directory still costs only its needle', async () => {
    const dataDir = filled.copy()
    // of an upload that ends a volume nothing else tells: it may pass for one that a crash cut off
    const isAmid = ({ file, offset }: NeedleOnDisk): boolean =>
      needlesIn(file).filter(other => other.offset > offset).length > 4
    const [needle] = victims(dataDir, 'data', 30).slice(2).filter(isAmid)
    if (needle === undefined) throw new Error('no victim')
    flipBit(needle.file, needle.dataAt)
    for (const path of [...indexFiles(dataDir), ...levelFiles(dataDir)]) rmSync(path)
    await filled.serve(dataDir, client => expectWhole(client, { damaged: [needle.photoId] }))
  })

  it('in a superblock or a whole sector of zeros is reported and leaves the other volumes alone', async () => {
    const dataDir = filled.copy()
    const [volume] = volumeFiles(dataDir)
    if (volume === undefined) throw new Error('no volume')
    const doubtful = needlesIn(volume).map(({ photoId }) => photoId)
    flipBit(volume, 20)
    await filled.serve(dataDir, async (client, node) => {
      await expectWhole(client, { doubtful })
      expect(warnings(node).join('\n')).toMatch(/superblock|volume/i)
      expect(existsSync(volume), 'a volume that cannot be read is kept').toBe(true)
    })
  })
})

describe('a volume that lost its end', () => {
  it('truncated in the middle of what was acknowledged: the rest is served, what is gone is 503', async () => {
    for (const share of [0.6, 0.95]) {
      const dataDir = filled.copy()
      const last = volumeFiles(dataDir).at(-1)
      if (last === undefined) throw new Error('no volume')
      const cut = Math.floor(statSync(last).size * share)
      truncateSync(last, cut)
      const damaged = lostBelow(filled.copy(), last, cut)
      await filled.serve(dataDir, async (client, node) => {
        await expectWhole(client, { damaged })
        expect(warnings(node).join('\n')).toMatch(/damage|corrupt|hole|missing/i)
      })
    }
  })

  it('truncated to nothing, or into its superblock', async () => {
    for (const byteCount of [0, 100]) {
      const dataDir = filled.copy()
      const last = volumeFiles(dataDir).at(-1)
      if (last === undefined) throw new Error('no volume')
      truncateSync(last, byteCount)
      const damaged = lostBelow(filled.copy(), last, byteCount)
      await filled.serve(dataDir, client => expectWhole(client, { damaged }))
    }
  })

  it('torn within the last upload, which nothing else remembers: it is wholly there or not at all', async () => {
    const intact = filled.copy()
    const tail = lastUpload(intact)
    const { offset, dataAt, footerAt, end } = tail.data
    for (const cut of [
      offset + 1,
      dataAt,
      footerAt - 1,
      end,
      tail.record.dataAt,
      tail.record.end - 1,
      tail.record.end
    ]) {
      const dataDir = filled.copy()
      truncateSync(join(dataDir, tail.data.file.slice(intact.length)), cut)
      for (const path of [...indexFiles(dataDir), ...levelFiles(dataDir)]) rmSync(path)
      const complete = cut === tail.record.end
      await filled.serve(dataDir, async client => {
        await expectWhole(client, complete ? {} : { maybeUnknown: [tail.data.photoId] })
        expect(await faultsOfVerify(client)).toEqual([])
      })
    }
  })

  it('with garbage after its end', async () => {
    const dataDir = filled.copy()
    for (const volume of volumeFiles(dataDir)) appendFileSync(volume, Buffer.alloc(5_000, 'SHND'))
    await filled.serve(dataDir, async client => {
      await expectWhole(client)
      expect(await faultsOfVerify(client)).toEqual([])
    })
  })
})

describe('index files', () => {
  const cases: Record<string, (dataDir: string) => void> = {
    missing: dataDir => {
      for (const path of indexFiles(dataDir)) rmSync(path)
    },
    empty: dataDir => {
      for (const path of indexFiles(dataDir)) truncateSync(path)
    },
    'of garbage': dataDir => {
      for (const path of indexFiles(dataDir)) writeFileSync(path, Buffer.alloc(10_000, 'garbage'))
    },
    'cut in half': dataDir => {
      for (const path of indexFiles(dataDir)) truncateSync(path, Math.floor(statSync(path).size / 2))
    },
    'with a flipped bit': dataDir => {
      for (const path of indexFiles(dataDir)) flipBit(path, Math.floor(statSync(path).size / 2), 3)
    },
    'of each other’s volumes': dataDir => {
      const paths = indexFiles(dataDir)
      const contents = paths.map(path => readFileSync(path))
      for (const [at, path] of paths.entries()) writeFileSync(path, contents[(at + 1) % contents.length] ?? '')
    },
    'of a volume that is gone': dataDir => {
      const [path] = indexFiles(dataDir)
      if (path !== undefined) writeFileSync(join(dirname(path), '0123456789abcdef-1.index'), readFileSync(path))
    }
  }
  for (const [name, damage] of Object.entries(cases)) {
    it(`${name} cost nothing`, async () => {
      const dataDir = filled.copy()
      expect(indexFiles(dataDir).length).toBeGreaterThan(1)
      damage(dataDir)
      await filled.serve(dataDir, async client => {
        await expectWhole(client)
        expect(await faultsOfVerify(client)).toEqual([])
      })
    })
  }
})

describe('the directory’s database', () => {
  const expectSame = async (client: HttpClient): Promise<void> => {
    const { directory_digest } = await client.json<{ directory_digest: string }>('GET', '/status', 200)
    expect(directory_digest).toBe(filled.digest)
    const { photos, total } = await client.list()
    expect(total).toBe(photos.length)
    expect(photos.map(({ photo_id }) => photo_id).sort()).toEqual(filled.live.map(({ id }) => id).sort())
    expect((await client.list('tag=edited')).total).toBe(filled.live.filter(({ tags }) => tags.length > 0).length)
    await expectWhole(client)
    expect(await faultsOfVerify(client)).toEqual([])
  }

  const expectMended = async (client: HttpClient): Promise<void> => {
    expect(await judge(client, filled.photos)).toEqual([])
    if ((await faultsOfVerify(client)).length > 0) await runJob(client, 'rebuild-directory')
    await expectSame(client)
  }

  it('deleted: all of it is made anew from the volumes', async () => {
    const dataDir = filled.copy()
    const [file] = levelFiles(dataDir)
    if (file === undefined) throw new Error('no database')
    rmSync(dirname(file), { recursive: true })
    await filled.serve(dataDir, async (client, node) => {
      await expectSame(client)
      expect(node.stderr).toMatch(/rebuil|replay/i)
    })
  })

  it('without one of its files', async () => {
    for (const name of levelFiles(filled.copy()).map(path => path.slice(path.lastIndexOf('/')))) {
      const dataDir = filled.copy()
      for (const path of levelFiles(dataDir)) if (path.endsWith(name)) rmSync(path)
      await filled.serve(dataDir, expectSame)
    }
  })

  it('with files cut short or full of garbage', async () => {
    for (const name of levelFiles(filled.copy()).map(path => path.slice(path.lastIndexOf('/')))) {
      for (const keep of [0.5, 0]) {
        const dataDir = filled.copy()
        for (const path of levelFiles(dataDir)) {
          if (!path.endsWith(name)) continue
          const size = statSync(path).size
          if (keep === 0) writeFileSync(path, Buffer.alloc(size, 'garbage'))
          else truncateSync(path, Math.floor(size * keep))
        }
        await filled.serve(dataDir, expectSame)
      }
    }
  })

  it('with a flipped bit anywhere: it is noticed at the start, or verify tells and a rebuild mends it', {
    timeout: 200_000
  }, async () => {
    const random = new SeededRandom(seed).fork('level')
    for (let attempt = 0; attempt < 16; attempt++) {
      const dataDir = filled.copy()
      const path = random.pick(levelFiles(dataDir).filter(file => statSync(file).size > 0))
      const at = random.below(statSync(path).size)
      flipBit(path, at, random.below(8))
      // LevelDB must not even see a damaged block: its assertions would end the process.
      await filled.serve(dataDir, expectMended).catch((err: unknown) => {
        throw new Error(`bit flipped in byte ${at} of ${path}`, { cause: err })
      })
    }
  })

  it('rebuild-directory leaves everything as it was', async () => {
    await filled.serve(filled.copy(), async client => {
      await runJob(client, 'rebuild-directory')
      await expectSame(client)
    })
  })
})

describe('files that are no volumes', () => {
  it('are reported, left alone and cost nothing', async () => {
    const dataDir = filled.copy()
    const folder = dirname(volumeFiles(dataDir)[0] ?? '')
    const strangers = ['notes.volume', '0123456789abcdef-1.volume', 'holiday.txt'].map(name => join(folder, name))
    for (const path of strangers) writeFileSync(path, 'this is not a volume\n'.repeat(30))
    writeFileSync(join(folder, '0123456789abcdef-2.volume'), '')
    await filled.serve(dataDir, async (client, node) => {
      await expectWhole(client)
      expect(warnings(node).join('\n')).toMatch(/0123456789abcdef-1/)
      for (const path of strangers) expect(existsSync(path), path).toBe(true)
    })
  })

  it('a folder with the name of a volume is left alone', async () => {
    const dataDir = filled.copy()
    mkdirSync(join(dirname(volumeFiles(dataDir)[0] ?? ''), '0123456789abcdef-3.volume'))
    await filled.serve(dataDir, client => expectWhole(client))
  })

  it('a volume under another volume’s name is not taken for it', async () => {
    const dataDir = filled.copy()
    const [first, second] = volumeFiles(dataDir)
    if (first === undefined || second === undefined) throw new Error('too few volumes')
    const doubtful = needlesIn(second).map(({ photoId }) => photoId)
    writeFileSync(second, readFileSync(first))
    await filled.serve(dataDir, client => expectWhole(client, { doubtful }))
  })
})

/** @returns photos of which a data or manifest needle in the file reaches beyond the cut, and none of an earlier life stands in */
function lostBelow(intact: string, damagedFile: string, cut: number): string[] {
  const name = damagedFile.slice(damagedFile.lastIndexOf('/'))
  const isCut = ({ file, end }: NeedleOnDisk): boolean => file.endsWith(name) && end > cut
  const kept = volumeFiles(intact)
    .flatMap(needlesIn)
    .filter(needle => !isCut(needle))
  const standsIn = (needle: NeedleOnDisk): boolean => {
    return kept.some(({ photoId, kind, chunk }) => {
      return photoId === needle.photoId && kind === needle.kind && chunk === needle.chunk
    })
  }
  const lost = presentNeedles(intact).filter(needle => {
    return needle.kind !== 'record' && isCut(needle) && !standsIn(needle)
  })
  rmSync(intact, { recursive: true })
  return lost.map(({ photoId }) => photoId)
}

/** @returns the needles of the upload that stands last in a volume, alone: data, then its birth record */
function lastUpload(dataDir: string): { readonly data: NeedleOnDisk; readonly record: NeedleOnDisk } {
  for (const file of volumeFiles(dataDir).reverse()) {
    const [data, record] = needlesIn(file).slice(-2)
    if (data?.kind === 'data' && record?.kind === 'record' && isUploadedHere(data, dataDir)) return { data, record }
  }
  throw new Error('no volume ends with an upload')
}

/** @returns whether the photo's only needles are these two, so that cutting them off leaves nothing of it */
function isUploadedHere({ photoId }: NeedleOnDisk, dataDir: string): boolean {
  return presentNeedles(dataDir).filter(needle => needle.photoId === photoId).length === 2
}
