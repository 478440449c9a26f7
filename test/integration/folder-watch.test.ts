import { appendFile, cp, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FolderWatch, type WatchFolder } from '../../src/cli/import/folder-watch.js'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

/*
 * Follows real folders: what the system tells of them is what the class is about. Time passes only while a test waits for what is told, so
 * that a file is never at rest because a busy machine writes it slowly.
 */

const SETTLE_MS = 60

class Fixture {
  readonly told: string[] = []
  readonly notes: string[] = []
  readonly root: string
  readonly #clock: Clock = { ...systemClock, monotonic: () => this.#nowMs }
  #nowMs = 0
  #stop = new AbortController()
  #ended: Promise<void> | undefined

  constructor(root: string) {
    this.root = root
  }

  start({ watch, rescanMs = 600_000 }: { readonly watch?: WatchFolder; readonly rescanMs?: number } = {}): void {
    const folderWatch = new FolderWatch(
      { clock: this.#clock, note: line => this.notes.push(line), ...(watch && { watch }) },
      { decode: name => name.toString(), isExcluded: () => false, settleMs: SETTLE_MS, rescanMs }
    )
    this.#ended = this.#follow(folderWatch)
  }

  async #follow(folderWatch: FolderWatch): Promise<void> {
    const before = new Map<string, string>()
    for await (const found of folderWatch.settled([this.root], this.#stop.signal)) {
      for (const file of found) {
        if (!('state' in file)) continue
        const { shown, state } = file
        const now = `${state.byteCount} ${state.mtimeNs} ${state.inode}`
        if (before.get(shown) !== now) this.told.push(`${shown.slice(this.root.length + 1)} ${state.byteCount}`)
        before.set(shown, now)
      }
    }
  }

  pass(ms: number): void {
    this.#nowMs += ms
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  at(...path: string[]): string {
    return join(this.root, ...path)
  }

  async write(path: string, bytes = 3): Promise<void> {
    await mkdir(join(this.at(path), '..'), { recursive: true })
    await writeFile(this.at(path), Buffer.alloc(bytes))
  }

  async expectTold(...files: string[]): Promise<void> {
    const toldByNow = (): string[] => {
      this.pass(SETTLE_MS)
      return [...this.told].sort()
    }
    await expect.poll(toldByNow, { interval: 20 }).toEqual(files.sort())
  }
}

async function started(options: Parameters<Fixture['start']>[0] = {}): Promise<Fixture> {
  const fixture = new Fixture(await temporaryDirectory())
  await fixture.write('old.jpg', 1)
  fixture.start(options)
  onTestFinished(() => fixture.stop())
  await fixture.expectTold('old.jpg 1')
  return fixture
}

test('what is there, and what comes, is told once, wherever it comes from', async () => {
  const fixture = await started()
  await fixture.write('a.jpg')
  await fixture.write('new/deep/down/b.jpg')
  await fixture.write('.hidden/c.jpg')
  const outside = await temporaryDirectory()
  await writeFile(join(outside, 'd.jpg'), 'd')
  await mkdir(join(outside, 'moved/in'), { recursive: true })
  await writeFile(join(outside, 'moved/in/e.jpg'), 'ee')
  await rename(join(outside, 'd.jpg'), fixture.at('d.jpg'))
  await rename(join(outside, 'moved'), fixture.at('moved'))
  const all = ['old.jpg 1', 'a.jpg 3', 'new/deep/down/b.jpg 3', 'd.jpg 1', 'moved/in/e.jpg 2']
  await fixture.expectTold(...all)
  await rename(fixture.at('a.jpg'), fixture.at('renamed.jpg'))
  await fixture.write('moved/in/later.jpg')
  await fixture.expectTold(...all, 'renamed.jpg 3', 'moved/in/later.jpg 3')
})

test('a file is told when it is at rest, and again when it has changed', async () => {
  const fixture = await started()
  for (let i = 1; i <= 12; i++) {
    await appendFile(fixture.at('slow.mov'), Buffer.alloc(100))
    fixture.pass(SETTLE_MS / 3)
    await systemClock.sleep(SETTLE_MS / 3) // it is looked at between
  }
  expect(fixture.told).toEqual(['old.jpg 1'])
  await fixture.expectTold('old.jpg 1', 'slow.mov 1200')
  await fixture.write('old.jpg', 7)
  await fixture.expectTold('old.jpg 1', 'slow.mov 1200', 'old.jpg 7')
})

test('folders that go and come again under their name are followed', async () => {
  const fixture = await started()
  const told = ['old.jpg 1']
  for (let i = 1; i <= 5; i++) {
    await fixture.write(`album/inner/${i}.jpg`, i)
    told.push(`album/inner/${i}.jpg ${i}`)
    await fixture.expectTold(...told)
    await rm(fixture.at('album'), { recursive: true })
  }
  await cp(fixture.at('old.jpg'), fixture.at('copy.jpg'))
  await fixture.expectTold(...told, 'copy.jpg 1')
})

test('many files at once, in many folders, with churn, are all told', async () => {
  const fixture = await started()
  const names = Array.from({ length: 300 }, (_, i) => `${i % 20}/${i % 7}/${i}.jpg`)
  await Promise.all(
    names.map(async (name, i) => {
      await fixture.write(`${name}.tmp`, 5)
      if (i % 3 === 0) await rename(fixture.at(`${name}.tmp`), fixture.at(name))
      else await cp(fixture.at(`${name}.tmp`), fixture.at(name))
      await rm(fixture.at(`${name}.tmp`), { force: true })
    })
  )
  await fixture.expectTold('old.jpg 1', ...names.map(name => `${name} 5`))
})

test('where nothing can be watched it is said once, and what comes is seen when everything is looked at', async () => {
  const watch: WatchFolder = () => {
    throw Object.assign(new Error('no'), { code: 'ENOSPC' })
  }
  const fixture = await started({ watch, rescanMs: 200 })
  await fixture.write('far/a.jpg')
  await fixture.write('b.jpg')
  await fixture.expectTold('old.jpg 1', 'far/a.jpg 3', 'b.jpg 3')
  expect(fixture.notes).toEqual([expect.stringContaining('not all folders can be watched (ENOSPC)')])
})

test('a folder that is not there is looked for again', async () => {
  const fixture = new Fixture(join(await temporaryDirectory(), 'card'))
  fixture.start({ rescanMs: 100 })
  onTestFinished(() => fixture.stop())
  await expect.poll(() => fixture.notes.length).toBeGreaterThan(0)
  await fixture.write('DCIM/a.jpg')
  await fixture.expectTold('DCIM/a.jpg 3')
})
