import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { killAllNodes, MAIN, NodeProcess, sheaf } from '../support/node-process.js'
import { fakeJpeg } from '../support/photo-maker.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { until } from '../support/until.js'

/** The program as its users run it: `dist/main.js`. */
afterEach(killAllNodes)

interface Ready {
  readonly http: string
  readonly p2p: readonly string[]
  readonly nodeId: string
}

/** `sheaf start` with flags and environment of the test's choice; it is killed when the test ends. */
function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, 'start', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', SHEAF_P2P: '127.0.0.1:0', SHEAF_MODEL: 'none', ...environment }
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exit = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, stdout, stderr }))
  const ready = async (): Promise<Ready> => {
    while (!stdout.includes('\n')) {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${stderr}`)
      await Promise.race([once(child.stdout, 'data'), exit])
    }
    expect(stdout).toMatch(/^ready \{.*\}\n$/)
    return JSON.parse(stdout.slice('ready '.length)) as Ready
  }
  return { child, exit, ready }
}

test('ready says how to reach the node, once, and SIGTERM and SIGINT stop it with exit 0', async () => {
  const folder = await temporaryDirectory()
  const nodeIds: string[] = []
  for (const [address, pattern, signal] of [
    ['127.0.0.1:0', /^http:\/\/127\.0\.0\.1:\d+$/, 'SIGTERM'],
    ['0.0.0.0:0', /^http:\/\/127\.0\.0\.1:\d+$/, 'SIGINT']
  ] as const) {
    const { child, exit, ready } = start(['--data', join(folder, 'data'), '--http', address, '--open-cluster'])
    const info = await ready()
    expect(Object.keys(info)).toEqual(['http', 'p2p', 'nodeId'])
    expect(info.http).toMatch(pattern)
    expect(info.p2p).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3KooW/)])
    expect(info.nodeId).toMatch(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/)
    nodeIds.push(info.nodeId)
    expect((await fetch(`${info.http}/health/ready`)).status).toBe(200)
    child.kill(signal)
    const { code, stdout, stderr } = await exit
    expect(code).toBe(0)
    expect(stdout.split('\n')).toHaveLength(2)
    for (const line of stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg')
  }
  // The identity is the key pair in the data folder.
  expect(nodeIds[0]).toBe(nodeIds[1])
})

test('what the node writes is for its own user only', async () => {
  const folder = join(await temporaryDirectory(), 'data')
  const node = await NodeProcess.start({ dataDir: folder })
  await sheaf(['put', MAIN], node.url)
  const names = ['.', ...(await readdir(folder, { recursive: true }))]
  expect(names).toContain('identity.key')
  for (const name of names) {
    const { mode } = await stat(join(folder, name))
    expect([name, mode & 0o077]).toEqual([name, 0])
  }
  expect(await node.stop()).toBe(0)
})

test('what is logged can be changed while the node runs, and never has a secret in it', async () => {
  const folder = await temporaryDirectory()
  const key = 'a cluster key that nobody may read'
  const [dataDir, environment] = [join(folder, 'data'), { SHEAF_CLUSTER_KEY: key }]
  const node = await NodeProcess.start({ dataDir, environment, logLevel: 'warn' })
  const token = node.operatorToken ?? ''
  expect(node.log()).toEqual([])
  const level = (name: string) => sheaf(['log-level', name, '--data', dataDir], node.url)
  expect((await level('trace')).stdout.toString()).toBe('trace, was warn\n')
  const { cookie, photo_id } = (await (await fetch(`${node.url}/v1/photos`, { method: 'PUT', body: 'x' })).json()) as {
    cookie: string
    photo_id: string
  }
  const headers = { authorization: `Bearer ${token}` }
  await fetch(`${node.url}/photo/${photo_id}?cookie=${cookie}`, { headers })
  await fetch(`${node.url}/v1/admin/members/nobody`, { method: 'DELETE', headers })
  expect(await node.stop()).toBe(0)
  expect(node.log().map(({ msg }) => msg)).toEqual(
    expect.arrayContaining(['the operator changes the log level', 'stopped'])
  )
  for (const secret of [token, key, cookie]) expect(node.stderr).not.toContain(secret)
})

describe('signals while an upload runs, which a graceful stop waits for', () => {
  async function startWithUpload() {
    const { child, exit, ready } = start(['--data', await temporaryDirectory(), '--http', '127.0.0.1:0'])
    const { http } = await ready()
    const headers = { 'content-length': 1_000, expect: '100-continue' }
    const upload = request(`${http}/v1/photos`, { method: 'PUT', headers })
    upload.on('error', () => {})
    upload.flushHeaders()
    await once(upload, 'continue')
    return { child, exit, upload }
  }

  test('a second one does not wait', async () => {
    const { child, exit } = await startWithUpload()
    child.kill('SIGTERM')
    await once(child.stderr, 'data')
    // One that follows at once counts as the same.
    await until('the process has ended', 90_000, async () => {
      child.kill('SIGTERM')
      return child.exitCode !== null
    })
    expect((await exit).code).toBe(1)
  })

  test('one that comes twice, as Ctrl-C under npm does, is one', async () => {
    const { child, exit, upload } = await startWithUpload()
    child.kill('SIGINT')
    child.kill('SIGINT')
    await once(child.stderr, 'data')
    child.kill('SIGINT')
    const answered = once(upload, 'response')
    upload.end(Buffer.alloc(1_000, 1))
    const [answer] = await answered
    expect(answer.statusCode).toBe(201)
    expect((await exit).code).toBe(0)
  })
})

describe('a start that cannot be', () => {
  test('a busy port: exit 1, and the flag is named', async () => {
    const folder = await temporaryDirectory()
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const { code, stdout, stderr } = await start(['--data', folder, '--http', `127.0.0.1:${port}`]).exit
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(
      new RegExp(`^sheaf: 127\\.0\\.0\\.1:${port} is in use.*--http.*\\(ERR_ADDRESS_IN_USE\\)$`, 'm')
    )
    // It gave the folder back.
    const again = await NodeProcess.start({ dataDir: folder })
    expect(await again.stop()).toBe(0)
  })

  test('a folder in use: exit 1, and the folder and its holder are named', async () => {
    const folder = await temporaryDirectory()
    const node = await NodeProcess.start({ dataDir: folder })
    const { code, stderr } = await start(['--data', folder, '--http', '127.0.0.1:0']).exit
    expect(code).toBe(1)
    expect(stderr).toContain(folder)
    expect(stderr).toMatch(new RegExp(`process ${node.pid} .*--data \\(ERR_DATA_LOCKED\\)\n$`))
    expect((await fetch(`${node.url}/health`)).status).toBe(200)
  })

  test('a folder that cannot be: exit 1', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'file'), '')
    const data = join(folder, 'file', 'data')
    const { code, stderr } = await start(['--data', data]).exit
    expect(code).toBe(1)
    expect(stderr).toMatch(/cannot be used \(.*ENOTDIR.*\); see --data \(ERR_DISK_WRITE\)\n$/)
    expect(stderr).toContain(`mkdir '${data}'`)
  })

  test.runIf(process.platform === 'linux')(
    'a folder that nobody can make: exit 1, naming it and no other',
    async () => {
      const { code, stderr } = await start(['--data', '/proc/none']).exit
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /folder \/proc\/none cannot be used \(ENOENT.* '\/proc\/none'\); see --data \(ERR_DISK_WRITE\)\n$/
      )
    }
  )

  test('a damaged key: exit 1, and the key is left alone', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'identity.key'), 'nonsense')
    const { code, stderr } = await start(['--data', folder]).exit
    expect(code).toBe(1)
    expect(stderr).toMatch(/identity\.key does not hold .*\(ERR_IDENTITY_CORRUPT\)\n$/)
    expect(await readFile(join(folder, 'identity.key'), 'utf8')).toBe('nonsense')
  })

  test('a wrong configuration: exit 2 with every fault, wherever it stands', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'c.json'), '{"min_copies": 0, "colour": "red"}')
    const args = ['--data', join(folder, 'data'), '--http', 'x', '--no-such-flag', '--config', join(folder, 'c.json')]
    const { code, stdout, stderr } = await start(args, { SHEAF_PURGE_DAYS: 'many' }).exit
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr.split('\n')).toEqual([
      'sheaf: the configuration is wrong (ERR_CONFIG)',
      '  --no-such-flag is not a flag of `sheaf start`',
      '  c.json: colour "\\"red\\"" is not a setting',
      expect.stringMatching(/^ {2}--http "x" must be /),
      expect.stringMatching(/^ {2}c\.json: min_copies "0" must be /),
      expect.stringMatching(/^ {2}SHEAF_PURGE_DAYS "many" must be /),
      ''
    ])
    await expect(stat(join(folder, 'data'))).rejects.toThrow('ENOENT')
  })

  test('an address of another machine: exit 2', async () => {
    const folder = await temporaryDirectory()
    const { code, stderr } = await start(['--data', folder, '--http', '192.0.2.1:8000']).exit
    expect([code, stderr]).toEqual([2, expect.stringMatching(/192\.0\.2\.1:8000.*--http.*\(ERR_CONFIG\)\n$/s)])
  })
})

test('a node that is told to do without a model says how to get one', async () => {
  const folder = await temporaryDirectory()
  const node = await NodeProcess.start({ dataDir: folder, flags: ['--models', folder] })
  const searched = await sheaf(['search', 'daisy'], node.url)
  expect(searched).toMatchObject({ code: 1, stderr: expect.stringContaining('sheaf models pull') })
})

test('what was put is there after kill -9, and a client survives the restart of the node', async () => {
  const folder = await temporaryDirectory()
  await writeFile(join(folder, 'a.jpg'), fakeJpeg(1, 100_000))
  const node = await NodeProcess.start({ dataDir: join(folder, 'data') })
  const put = await sheaf(['put', join(folder, 'a.jpg')], node.url)
  expect(put).toMatchObject({ code: 0, stderr: '' })
  await node.kill9()
  const again = await node.restart()
  const got = await sheaf(['get', put.stdout.toString().trim()], again.url)
  expect(got.stdout.equals(fakeJpeg(1, 100_000))).toBe(true)
  expect(await again.stop()).toBe(0)
})

describe('a client command', () => {
  test('ends quietly when its reader leaves', async () => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'big'), fakeJpeg(1, 5_000_000))
    const node = await NodeProcess.start({ dataDir: join(folder, 'data') })
    const id = (await sheaf(['put', join(folder, 'big')], node.url)).stdout.toString().trim()
    const child = spawn(process.execPath, [MAIN, 'get', id, '--node', node.url], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.stdout.once('data', () => child.stdout.destroy())
    const [code] = await once(child, 'close')
    expect([code, stderr]).toEqual([0, ''])
  })

  test('that is interrupted dies by the signal, so that a shell sees it, and leaves no half file', async () => {
    const folder = await temporaryDirectory()
    const server = createHttpServer((_request, response) => {
      response.writeHead(200, { 'content-length': 1_000_000 })
      response.write(Buffer.alloc(1_000))
      child.kill('SIGINT')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => server.closeAllConnections())
    onTestFinished(() => void server.close())
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const args = ['get', 'x', '-o', join(folder, 'out'), '--node', `http://127.0.0.1:${port}`]
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' })
    expect(await once(child, 'close')).toEqual([null, 'SIGINT'])
    expect(await readdir(folder)).toEqual([])
  })
})
