import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config.js'
import { systemClock } from '../../src/core/clock.js'
import { type Logger, silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { systemRandom } from '../../src/core/random.js'
import { SheafNode } from '../../src/node.js'
import { type DescribedFolder, describeFolder, type Json } from '../fixtures/folders/describe-folder.js'
import { HttpClient } from '../support/http-client.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

/*
 * Data folders of earlier builds, see test/fixtures/README.md: every version opens them and shows what the build showed that
 * wrote them.
 */

interface Contents extends DescribedFolder {
  /** Of `sheaf start`. */
  readonly flags: readonly string[]
  /** Photos by what was done with them. */
  readonly ids: Readonly<Record<string, string>>
  /** By photo: how an undelete ended when the build of then was asked. */
  readonly undelete: Readonly<Record<string, number>>
}

const FOLDERS = new URL('../fixtures/folders/', import.meta.url)
const VERSIONS = (await readdir(FOLDERS, { withFileTypes: true })).filter(entry => entry.isDirectory())

async function unpack(version: string): Promise<string> {
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

async function contentsOf(version: string): Promise<Contents> {
  return JSON.parse(await readFile(new URL(`${version}/contents.json`, FOLDERS), 'utf8')) as Contents
}

interface OpenNode {
  readonly client: HttpClient
  /** Warnings and errors of the node's log. */
  readonly complaints: readonly string[]
  stop(): Promise<void>
}

/** Starts a whole node of today on the folder. */
async function open(folder: string, { flags }: Contents): Promise<OpenNode> {
  // what is deleted in the folder stays undoable however long ago it was written
  const kept = ['--purge-days', '36500']
  const own = ['--data', folder, '--http', '127.0.0.1:0', '--p2p', '127.0.0.1:0', '--mdns', 'off', '--model', 'none']
  const environment = { SHEAF_CLUSTER_KEY: 'else the node warns of having none' }
  const config = loadConfig({
    args: [...own, ...kept, ...flags],
    environment,
    hostName: '',
    readTextFile: () => ''
  })
  const fatal = (error: Error): void => {
    throw error
  }
  const complaints: string[] = []
  const complain = (_fields: object, text: string): number => complaints.push(text)
  const log: Logger = { ...silentLog, warn: complain, error: complain, child: () => log }
  const components = { clock: systemClock, random: systemRandom, fileSystem: nodeFileSystem, log, fatal }
  const node = new SheafNode(components, { config, version: '0.0.0' })
  onTestFinished(() => node.stop())
  await node.start()
  const client = new HttpClient(node.ready.http)
  const stop = (): Promise<void> => {
    client.close()
    return node.stop()
  }
  return { client, complaints, stop }
}

/**
 * Opens the folder and reads all of it, twice: what the first open changed must not change what the second one shows. The
 * digest of the directory is over records of today's format, so it is another one than then, but always the same.
 */
async function expectContents(folder: string, contents: Contents): Promise<void> {
  const { status, photos, list, total, volumes, members } = contents
  const digests = new Set<unknown>()
  for (let i = 0; i < 2; i++) {
    const { client, complaints, stop } = await open(folder, contents)
    const described = await describeFolder(client, Object.keys(photos))
    digests.add(described.status.directory_digest)
    const shown = { ...described, photos: withoutLives(described.photos) }
    const { directory_digest } = described.status
    expect(shown).toEqual({ status: { ...status, directory_digest }, photos, list, total, volumes, members })
    expect(complaints).toEqual([])
    await stop()
  }
  expect(digests.size).toBe(1)
}

/** Versions as they were before dots belonged to a life: of an actor in a later life only the actor. */
function withoutLives(photos: DescribedFolder['photos']): DescribedFolder['photos'] {
  const text = JSON.stringify(photos, (key, value) => {
    if (key === 'actor' && typeof value === 'string') return value.slice(0, 16)
    if (key !== 'vector_clock') return value
    return Object.fromEntries(Object.entries(value as object).filter(([actor]) => actor.length === 16))
  })
  return JSON.parse(text) as DescribedFolder['photos']
}

async function verify(client: HttpClient): Promise<unknown> {
  const { job_id } = await client.json<{ job_id: string }>('POST', '/v1/admin/verify', 202)
  for (;;) {
    const { state, result } = await client.json<Json>('GET', `/v1/admin/jobs/${job_id}`, 200)
    if (state !== 'queued' && state !== 'running') return result
  }
}

describe.each(VERSIONS.map(({ name }) => name))('a data folder of %s', version => {
  it('shows what it showed', async () => {
    await expectContents(await unpack(version), await contentsOf(version))
  })

  it('shows it without its directory', async () => {
    const folder = await unpack(version)
    await rm(join(folder, 'directory'), { recursive: true })
    await expectContents(folder, await contentsOf(version))
  })

  it('shows it without the indexes of its volumes', async () => {
    const folder = await unpack(version)
    const names = await readdir(join(folder, 'volumes'))
    const indexes = names.filter(name => name.endsWith('.index'))
    expect(indexes).not.toEqual([])
    for (const name of indexes) await rm(join(folder, 'volumes', name))
    await expectContents(folder, await contentsOf(version))
  })

  it('can be written to', async () => {
    const folder = await unpack(version)
    const contents = await contentsOf(version)
    const { photos, list, undelete } = contents
    const [edited = '', deleted = ''] = list
    let { client, stop } = await open(folder, contents)
    expect((await client.patchMeta(edited, { caption: 'edited today', tags: { add: ['today'] } })).status).toBe(200)
    expect((await client.request('DELETE', `/photo/${deleted}`)).status).toBe(200)
    const undeleted = Object.keys(undelete).filter(id => undelete[id] === 200)
    expect(undeleted).not.toEqual([])
    for (const [id, status] of Object.entries(undelete))
      expect({ id, status: (await client.request('POST', `/photo/${id}/undelete`)).status }).toEqual({ id, status })
    const added = (await client.putPhoto(Buffer.from('new'), 'new.txt', 'text/plain')).photo_id
    const ids = [...Object.keys(photos), added]
    const written = await describeFolder(client, ids)
    expect(new Set(written.list)).toEqual(new Set([...list.filter(id => id !== deleted), ...undeleted, added]))
    expect(written.photos[deleted]).toEqual({ status: 410, code: 'ERR_PHOTO_DELETED' })
    const before = photos[edited]?.meta as { readonly tags: readonly string[] }
    expect(written.photos[edited]?.meta).toEqual({
      ...before,
      caption: 'edited today',
      tags: [...before.tags, 'today'].sort(),
      version: expect.anything()
    })
    expect(await verify(client)).toMatchObject({ faults: [] })
    await stop()

    await rm(join(folder, 'directory'), { recursive: true })
    ;({ client, stop } = await open(folder, contents))
    expect(await describeFolder(client, ids)).toEqual(written)
    await stop()
  })
})
