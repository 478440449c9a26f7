import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** @returns the path of a fresh, empty folder that is removed when the test has finished */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sheaf-test-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}
