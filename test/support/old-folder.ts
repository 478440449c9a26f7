import { createReadStream } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { SheafNode } from '../../src/node.js'
import type { DescribedFolder } from '../fixtures/folders/describe-folder.js'
import { HttpClient } from './http-client.js'
import { temporaryDirectory } from './temporary-directory.js'

export interface Contents extends DescribedFolder {
  /** Of `sheaf start`. */
  readonly flags: readonly string[]
  /** Photos by what was done with them. */
  readonly ids: Readonly<Record<string, string>>
  /** By photo: how an undelete ended when the build of then was asked. */
  readonly undelete: Readonly<Record<string, number>>
}

export const FOLDERS = new URL('../fixtures/folders/', import.meta.url)

export async function unpack(version: string): Promise<string> {
  const folder = await temporaryDirectory()
  const archive = createReadStream(new URL(`${version}/folder.tar.gz`, FOLDERS))
    .pipe(createGunzip())
    .pipe(extract())
  for await (const entry of archive) {
    const path = join(folder, entry.header.name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, await buffer(entry))
  }
  return folder
}

export async function contentsOf(version: string): Promise<Contents> {
  return JSON.parse(await readFile(new URL(`${version}/contents.json`, FOLDERS), 'utf8')) as Contents
}

export interface OpenNode {
  readonly client: HttpClient
  readonly url: string
  /** Where other nodes find it. */
  readonly p2p: string
  /** Warnings and errors of the node's log. */
  readonly complaints: readonly string[]
  stop(): Promise<void>
}

/**
 * Starts a whole node of today on the folder.
 *
 * @param more - flags of `sheaf start`
 */
export async function open(
  folder: string,
  { flags }: Pick<Contents, 'flags'>,
  more: readonly string[] = []
): Promise<OpenNode> {
  // what is deleted in the folder stays undoable however long ago it was written
  const kept = ['--purge-days', '36500']
  const own = ['--data', folder, '--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--mdns', 'off', '--model', 'none']
  const environment = { SHEAF_CLUSTER_KEY: 'else the node warns of having none' }
  const config = loadConfig({
    args: [...own, ...kept, ...flags, ...more],
    environment,
    hostName: '',
    readTextFile: () => ''
  })
  const complaints: string[] = []
  const complain = (_fields: object, text: string): number => complaints.push(text)
  const log: Logger = { ...silentLog, warn: complain, error: complain, child: () => log }
  const components = { clock: systemClock, random: systemRandom, fileSystem: nodeFileSystem, log }
  const node = new SheafNode(components, { config, version: '0.0.0' })
  onTestFinished(() => node.stop())
  await node.start()
  const client = new HttpClient(node.ready.http)
  const stop = (): Promise<void> => {
    client.close()
    return node.stop()
  }
  return { client, url: node.ready.http, p2p: node.ready.p2p[0] ?? '', complaints, stop }
}
