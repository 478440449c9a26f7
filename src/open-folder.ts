import { join, resolve } from 'node:path'
import type { OpenedFolder } from './cli/commands/export.js'
import { loadConfig } from './config.js'
import { SheafError, systemErrorCode } from './core/errors.js'
import { type NodeComponents, SheafNode } from './node.js'

/** The greatest that `--purge-days` takes: nothing here may hide what the folder's own node keeps. */
const PURGE_DAYS = '36500'

/**
 * Serves a data folder whose node is stopped, to this machine only: the folder is locked, read, and brought up to date as by
 * a start, but nothing is dialed, listened for, swept or compacted.
 *
 * @throws `ERR_USAGE` for what is no data folder; what {@link SheafNode.start} throws
 */
export async function openFolder(
  components: NodeComponents,
  { folder, version }: { readonly folder: string; readonly version: string }
): Promise<OpenedFolder> {
  await requireFolder(components, folder)
  const args = ['--data', folder, '--http', '127.0.0.1:0', '--model', 'none', '--purge-days', PURGE_DAYS]
  const config = loadConfig({ args, environment: {}, hostName: '', readTextFile: () => '' })
  const node = new SheafNode(components, { config, version, alone: true })
  await node.start()
  return { url: new URL('/', node.ready.http), close: () => node.stop() }
}

/** A start would make one of any folder. */
async function requireFolder({ fileSystem }: NodeComponents, folder: string): Promise<void> {
  try {
    await fileSystem.list(join(resolve(folder), 'volumes'))
  } catch (cause) {
    const code = systemErrorCode(cause)
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
    throw new SheafError('ERR_USAGE', `${folder} is no data folder of a node: it has no volumes`, { cause })
  }
}
