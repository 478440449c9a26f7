import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HttpClient } from '../support/http-client.js'
import { killAllNodes, type LogLine, NodeProcess, REPOSITORY, temporaryFolder } from '../support/node-process.js'
import { fakeJpeg, sha256Hex } from '../support/photo-maker.js'
import { until } from '../support/until.js'

/** The last build of wire version 1. */
const OLDER_COMMIT = 'ec65eb6'
/** A node waits at least 2.5 s after a refusal; less what two clocks and the log round off, in ms. */
const PAUSE_MS_MIN = 2_400

function git(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('git', ['-C', REPOSITORY, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`git ${args[0]}: ${stderr}`)
  return stdout
}

/** @returns why the older build cannot be made here */
function obstacle(): string | undefined {
  try {
    git('cat-file', '-e', `${OLDER_COMMIT}^{commit}`)
    return undefined
  } catch (err) {
    return `commit ${OLDER_COMMIT} is not in this checkout (a shallow one?): ${String(err).trim()}`
  }
}

/** Builds the older commit with the dependencies of today. @returns its program */
function buildOlder(folder: string): string {
  mkdirSync(folder)
  const archive = join(folder, 'source.tar')
  git('archive', '--output', archive, OLDER_COMMIT)
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'))
  // its types were checked when it was committed
  const compile = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']
  for (const [command, args] of [
    ['tar', ['-xf', archive]],
    [process.execPath, compile]
  ] as const) {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`)
  }
  return join(folder, 'dist', 'main.js')
}

/** @returns a port that was free a moment ago */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

const reason = obstacle()
if (reason !== undefined) process.stderr.write(`\n  SKIPPED: a node of the build of before: ${reason}\n\n`)

describe.skipIf(reason !== undefined)('a node of this build and one of the last build of wire version 1', () => {
  const folder = temporaryFolder('upgrade')
  let older: NodeProcess
  let newer: NodeProcess

  beforeAll(async () => {
    const main = buildOlder(join(folder.path, 'older'))
    const ports = [await freePort(), await freePort()]
    const [olderAt, newerAt] = ports.map(port => `127.0.0.1:${port}`) as [string, string]
    const start = (
      name: string,
      at: string,
      other: string,
      program: { readonly main?: string }
    ): Promise<NodeProcess> =>
      NodeProcess.start({
        dataDir: join(folder.path, name),
        flags: ['--p2p', at, '--join', other],
        logLevel: 'debug',
        ...program
      })
    ;[older, newer] = await Promise.all([
      start('older-data', olderAt, newerAt, { main }),
      start('newer-data', newerAt, olderAt, {})
    ])
  })

  afterAll(async () => {
    await killAllNodes()
    folder.remove()
  })

  /** The older build's words are others. */
  const refusals = (node: NodeProcess): LogLine[] =>
    node.log().filter(({ msg }) => ['refused a node', 'a node may not join'].includes(msg))

  /** @returns the dials that failed, in order; before the other was ready they were not refused */
  const failedDials = (node: NodeProcess): { readonly refused: boolean; readonly atMs: number }[] =>
    node.log().flatMap(({ msg, err, time }) => {
      if (msg !== 'could not connect') return []
      const { code } = err as { readonly code?: string }
      return [{ refused: code === 'ERR_PEER_REFUSED', atMs: Date.parse(String(time)) }]
    })

  test('refuse each other: the newer one names the upgrade, the older one says what it can', async () => {
    await until('both refuse', 90_000, async () => refusals(newer).length > 0 && refusals(older).length > 0)
    expect(refusals(newer)[0]).toMatchObject({
      code: 'ERR_PEER_REFUSED',
      peer: older.p2p.split('/').at(-1),
      address: expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+/),
      reason: expect.stringMatching(/older version of Sheaf.*all nodes have to be upgraded together, see UPGRADING\.md/)
    })
    expect(refusals(older)[0]).toMatchObject({
      code: 'ERR_PEER_REFUSED',
      peer: newer.p2p.split('/').at(-1),
      reason: expect.stringContaining('its cluster name or key differs')
    })
  })

  test('neither spins: each dials again only after some seconds, and logs one line a minute', async () => {
    const nodes = [older, newer]
    const threeTimes = (node: NodeProcess): boolean => failedDials(node).filter(({ refused }) => refused).length >= 3
    await until('each was refused three times', 90_000, async () => nodes.every(threeTimes))
    for (const node of nodes) {
      const dials = failedDials(node)
      for (const [i, { refused, atMs }] of dials.slice(0, -1).entries()) {
        if (refused) expect((dials[i + 1]?.atMs ?? 0) - atMs).toBeGreaterThanOrEqual(PAUSE_MS_MIN)
      }
      expect(refusals(node)).toHaveLength(1)
      expect(node.log().filter(({ level }) => level >= 50)).toEqual([])
    }
  })

  test('each goes on serving what it has, alone', async () => {
    for (const node of [older, newer]) {
      const client = new HttpClient(node.url)
      const bytes = fakeJpeg(node.pid, 50_000)
      const { photo_id: id } = await client.putPhoto(bytes, 'a.jpg', 'image/jpeg')
      expect(await client.photoDigest(id)).toMatchObject({ status: 200, sha256: sha256Hex(bytes) })
      const { body } = await client.request('GET', '/cluster')
      const { members } = JSON.parse(body.toString()) as { readonly members: readonly unknown[] }
      expect(members).toHaveLength(1)
    }
    expect(await Promise.all([older.stop(), newer.stop()])).toEqual([0, 0])
  })
})
