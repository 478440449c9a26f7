import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { DataLock } from '../../src/core/data-lock.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const HOLDER_PROGRAM = fileURLToPath(new URL('../support/data-lock-holder.ts', import.meta.url))

interface Answer {
  readonly locked: boolean
  readonly code?: string
  readonly message?: string
  readonly details?: { readonly folder: string; readonly pid?: number; readonly host?: string }
}

let folder: string
beforeEach(async () => {
  folder = join(await temporaryDirectory(), 'data')
})

test('a second process is told which folder is locked and by whom', async () => {
  const first = await holder()
  expect(first.answer).toEqual({ locked: true })

  const { answer } = await holder()
  expect(answer).toMatchObject({
    locked: false,
    code: 'ERR_DATA_LOCKED',
    details: { folder, pid: first.process.pid, host: hostname() }
  })
  expect(answer.message).toContain(folder)
  expect(answer.message).toContain(String(first.process.pid))
})

test('a second lock in the same process is refused as well', async () => {
  const [first, second] = [new DataLock({ folder }), new DataLock({ folder })]
  await first.start()
  await expect(second.start()).rejects.toMatchObject({ code: 'ERR_DATA_LOCKED' })
  await first.stop()
  await second.start()
  await second.stop()
})

test('the lock goes when its process stops it, or is killed', async () => {
  const first = await holder()
  first.process.stdin?.end()
  await once(first.process, 'exit')

  for (let round = 0; round < 3; round++) {
    const { process, answer } = await holder()
    expect(answer).toEqual({ locked: true })
    process.kill('SIGKILL')
    await once(process, 'exit')
  }
})

test.each([false, true])(
  'of many that race for the lock of a killed process, one wins and is named (damage: %s)',
  async damage => {
    const first = await holder()
    first.process.kill('SIGKILL')
    await once(first.process, 'exit')
    if (damage) await writeFile(join(folder, 'lock', 'CURRENT'), 'garbage')

    const attempts = await Promise.all(Array.from({ length: 5 }, loadHolder))
    const racers = await Promise.all(attempts.map(attempt => attempt()))
    const winners = racers.filter(({ answer }) => answer.locked)
    expect(winners).toHaveLength(1)
    for (const { answer } of racers.filter(racer => !winners.includes(racer))) {
      expect(answer).toMatchObject({ code: 'ERR_DATA_LOCKED', details: { pid: winners[0]?.process.pid } })
    }
  }
)

test.each(['', 'garbage', 'MANIFEST-999999\n'])(
  'damage to the lock (CURRENT is %j) does not lock anyone out',
  async current => {
    const lock = new DataLock({ folder })
    await lock.start()
    await lock.stop()
    await writeFile(join(folder, 'lock', 'CURRENT'), current)

    await lock.start()
    expect((await holder()).answer.code).toBe('ERR_DATA_LOCKED')
    await lock.stop()
  }
)

test('what others spoil while it starts over is made anew', async () => {
  const lock = new DataLock({ folder })
  await lock.start()
  await lock.stop()
  await writeFile(join(folder, 'lock', 'CURRENT'), 'garbage')
  // as if another process had put back what this one deletes
  const spoilt = vi.spyOn(nodeFileSystem, 'list').mockResolvedValueOnce([]).mockResolvedValueOnce([])
  onTestFinished(() => spoilt.mockRestore())
  await lock.start()
  expect((await holder()).answer.code).toBe('ERR_DATA_LOCKED')
  await lock.stop()
})

test('a holder whose database is taken away under it still holds the lock', async () => {
  const lock = new DataLock({ folder })
  await lock.start()
  for (const name of await readdir(join(folder, 'lock'))) {
    if (name !== 'LOCK') await rm(join(folder, 'lock', name))
  }
  expect((await holder()).answer.code).toBe('ERR_DATA_LOCKED')
  await lock.stop()
})

test('a name that a killed holder left is not taken for the present one', async () => {
  const killed = await holder()
  killed.process.kill('SIGKILL')
  await once(killed.process, 'exit')
  const lock = new DataLock({ folder })
  await lock.start()
  const stale = { pid: killed.process.pid, host: hostname() }
  await writeFile(join(folder, 'lock', 'holder.json'), JSON.stringify(stale))
  const { answer } = await holder()
  expect(answer.details).toEqual({ folder })
  expect(answer.message).toContain('another process')
  await lock.stop()
})

test('starting and stopping twice is harmless', async () => {
  const lock = new DataLock({ folder })
  await lock.stop()
  await lock.start()
  await lock.start()
  await lock.stop()
  await lock.stop()
  await lock.start()
  await lock.stop()
})

/** A process that has tried to take the lock, and what it said of that. */
async function holder(): Promise<{ process: ChildProcess; answer: Answer }> {
  const attempt = await loadHolder()
  return attempt()
}

/** Starts a process. @returns lets it try to take the lock */
async function loadHolder(): Promise<typeof holder> {
  const child = spawn(process.execPath, ['--import', 'tsx', HOLDER_PROGRAM, folder], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const lines = createInterface(child.stdout)
  await once(lines, 'line')
  return async () => {
    const answer = once(lines, 'line')
    child.stdin.write('go')
    return { process: child, answer: JSON.parse(String(await answer)) as Answer }
  }
}
