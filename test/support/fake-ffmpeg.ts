import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Makes a program that says that it is ffmpeg.
 *
 * @param behaviour - of a shell, when it is to decode something
 * @returns its path
 */
export async function fakeFfmpeg(folder: string, behaviour: string): Promise<string> {
  const path = join(folder, 'ffmpeg')
  const version = 'case "$*" in *-version*) echo "ffmpeg version 7.1-fake Copyright"; exit 0;; esac'
  await writeFile(path, `#!/bin/sh\n${version}\n${behaviour}\n`)
  await chmod(path, 0o755)
  return path
}
