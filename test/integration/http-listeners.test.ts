import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readdir, stat, writeFile } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { silentLog } from '../../src/core/log.js'
import { nodeFileSystem } from '../../src/core/node-file-system.js'
import { HttpServer, type ListenAddress } from '../../src/http/wire/server.js'
import { TlsFiles } from '../../src/http/wire/tls-files.js'
import { killAllNodes, NodeProcess, sheaf } from '../support/node-process.js'
import { SimulatedClock } from '../support/simulated-clock.js'
import { temporaryDirectory } from '../support/temporary-directory.js'
import { cli, fakeNode } from './cli-harness.js'

afterEach(killAllNodes)

const pem = (name: string): string => fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url))
const CA = pem('ca.cert')

/** A server that says `ok`, at these addresses. */
async function listening(listen: readonly ListenAddress[], tls?: TlsFiles): Promise<HttpServer> {
  const app = {
    createServer: (pair?: object) =>
      pair === undefined
        ? createServer((_, response) => response.end('ok'))
        : createHttpsServer(pair, (_, response) => response.end('ok')),
    close: async () => {}
  }
  const server = new HttpServer({ app, clock: systemClock, log: silentLog, ...(tls && { tls }) }, { listen })
  onTestFinished(() => server.stop())
  await server.start()
  return server
}

function ask(options: { readonly socketPath: string } | string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = typeof options === 'string' ? request(options) : request({ ...options, path: '/' })
    asked.once('error', reject)
    asked.once('response', answer => {
      answer.setEncoding('utf8')
      let text = ''
      answer.on('data', piece => {
        text += piece
      })
      answer.once('end', () => resolve(text))
    })
    asked.end()
  })
}

describe('several addresses', () => {
  test('are all served, and given back by a stop', async () => {
    const path = join(await temporaryDirectory(), 'sheaf.sock')
    const server = await listening([{ path }, { host: '127.0.0.1', port: 0 }, { host: '::1', port: 0 }])
    const urls = server.urls()
    expect(urls).toEqual([
      `unix:${path}`,
      expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^http:\/\/\[::1\]:\d+$/)
    ])
    for (const where of [{ socketPath: path }, ...urls.slice(1)]) expect(await ask(where)).toBe('ok')
    await server.stop()
    expect(server.urls()).toEqual([])
    await expect(ask(urls[1] ?? '')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(ask({ socketPath: path })).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('[::] takes IPv4, too, and stands beside 0.0.0.0 of the same port', async () => {
    const server = await listening([{ host: '::', port: 0 }])
    const port = server.address()?.port ?? 0
    expect(server.urls()).toEqual([`http://127.0.0.1:${port}`])
    expect(await ask(`http://127.0.0.1:${port}/`)).toBe('ok')
    await server.stop()
    const both = await listening([
      { host: '0.0.0.0', port },
      { host: '::', port }
    ])
    expect(both.urls()).toEqual([`http://127.0.0.1:${port}`, `http://[::1]:${port}`])
    for (const url of both.urls()) expect(await ask(url)).toBe('ok')
  })

  test('others are told those that are true elsewhere: interfaces for a wildcard, nothing of loopback and sockets', async () => {
    const interfaces = (): string[] => ['fd00::7', '10.0.0.7']
    const path = join(await temporaryDirectory(), 'sheaf.sock')
    const local = await listening([{ path }, { host: '127.0.0.1', port: 0 }, { host: '::1', port: 0 }])
    expect(local.publicOrigins(interfaces)).toEqual([])
    const ipv4 = await listening([{ host: '0.0.0.0', port: 0 }])
    const port = ipv4.address()?.port
    expect(ipv4.publicOrigins(interfaces)).toEqual([`http://10.0.0.7:${port}`])
    const both = await listening([{ host: '::', port: 0 }])
    const at = both.address()?.port
    expect(both.publicOrigins(interfaces)).toEqual([`http://10.0.0.7:${at}`, `http://[fd00::7]:${at}`])
    await both.stop()
    expect(both.publicOrigins(interfaces)).toEqual([])
  })

  test('[::] means 0.0.0.0 where there is no IPv6', async () => {
    const app = {
      createServer: () => {
        const server = createServer((_, response) => response.end('ok'))
        const listen = server.listen.bind(server) as (options: object, done: () => void) => Server
        server.listen = ((options: { readonly host: string }, done: () => void) => {
          if (options.host !== '::') return listen(options, done)
          process.nextTick(() => server.emit('error', Object.assign(new Error('none'), { code: 'EAFNOSUPPORT' })))
          return server
        }) as Server['listen']
        return server
      },
      close: async () => {}
    }
    const init = { listen: [{ host: '::', port: 0 }] }
    const server = new HttpServer({ app, clock: systemClock, log: silentLog }, init)
    onTestFinished(() => server.stop())
    await server.start()
    const [url = ''] = server.urls()
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await ask(url)).toBe('ok')
  })

  test('one that is in use is named', async () => {
    const first = await listening([{ host: '127.0.0.1', port: 0 }])
    const { port = 0 } = first.address() ?? {}
    await expect(
      listening([
        { host: '127.0.0.1', port: 0 },
        { host: '127.0.0.1', port }
      ])
    ).rejects.toMatchObject({
      code: 'ERR_ADDRESS_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${port} is in use`)
    })
  })
})

describe('a Unix socket', () => {
  test('that a killed process left is replaced; one where somebody listens is not, nor is a file', async () => {
    const folder = await temporaryDirectory()
    const path = join(folder, 'a.sock')
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL')
    expect((await stat(path)).isSocket()).toBe(true)
    await listening([{ path }])
    expect(await ask({ socketPath: path })).toBe('ok')
    await expect(listening([{ path }])).rejects.toMatchObject({
      code: 'ERR_ADDRESS_IN_USE',
      message: `unix:${path} is in use; choose another with --http`
    })
    expect(await ask({ socketPath: path })).toBe('ok')
    const file = join(folder, 'file')
    await writeFile(file, 'mine')
    await expect(listening([{ path: file }])).rejects.toMatchObject({ code: 'ERR_ADDRESS_IN_USE' })
    expect((await readdir(folder)).sort()).toEqual(['a.sock', 'file'])
    await expect(listening([{ path: join(folder, 'none', 'a.sock') }])).rejects.toMatchObject({ code: 'ERR_CONFIG' })
  })

  test('is the node’s whole address, for its own user only', async () => {
    const folder = await temporaryDirectory()
    const path = join(folder, 'sheaf.sock')
    const dataDir = join(folder, 'data')
    const node = await NodeProcess.start({ dataDir, flags: ['--http', `unix:${path}`] })
    expect(node.url).toBe(`unix:${path}`)
    expect((await stat(path)).mode & 0o077).toBe(0)
    await writeFile(join(folder, 'photo'), 'bytes')
    const put = await sheaf(['put', join(folder, 'photo')], node.url)
    expect(put.code, put.stderr).toBe(0)
    expect((await sheaf(['get', put.stdout.toString().trim()], node.url)).stdout.toString()).toBe('bytes')
    expect((await sheaf(['log-level', 'warn', '--data', dataDir], node.url)).code).toBe(0)
    expect(await node.stop()).toBe(0)
    expect(await readdir(folder)).not.toContain('sheaf.sock')
    const gone = await sheaf(['status'], node.url)
    expect([gone.code, gone.stderr]).toEqual([
      1,
      expect.stringMatching(/^sheaf: no answer from unix:.*\(ENOENT\): start/)
    ])
  })
})

describe('HTTPS', () => {
  test('is what a node speaks that has a certificate, and what the command line trusts by --ca', async () => {
    const flags = ['--tls-cert', pem('one.cert'), '--tls-key', pem('one.key')]
    const node = await NodeProcess.start({ dataDir: await temporaryDirectory(), flags })
    expect(node.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    const trusting = await sheaf(['status', '--ca', CA], node.url)
    expect([trusting.code, trusting.stderr]).toEqual([0, ''])
    const wary = await sheaf(['status'], node.url)
    expect([wary.code, wary.stderr]).toEqual([1, expect.stringMatching(/: its certificate is .* --ca FILE \(ERR_NODE/)])
    const plain = await sheaf(['status'], node.url.replace('https', 'http'))
    expect([plain.code, plain.stderr]).toEqual([
      1,
      'sheaf: this port speaks HTTPS: use https:// instead of http:// (ERR_BAD_REQUEST)\n'
    ])
    const large = await fetch(`${node.url.replace('https', 'http')}/v1/photos`, {
      method: 'PUT',
      body: 'x'.repeat(9_999)
    })
    expect([large.status, await large.json()]).toMatchObject([400, { code: 'ERR_BAD_REQUEST' }])
    expect(await node.stop()).toBe(0)
  })

  test('a pair that does not fit ends the start with exit 2; an expired certificate serves, with a warning', async () => {
    const start = (cert: string, key: string) =>
      temporaryDirectory().then(dataDir =>
        NodeProcess.start({ dataDir, flags: ['--tls-cert', pem(cert), '--tls-key', pem(key)] })
      )
    await expect(start('one.cert', 'two.key')).rejects.toThrow(
      /did not start: exit 2\n.*the key in --tls-key .* is not that of the certificate in .*\(ERR_CONFIG\)/s
    )
    await expect(start('none', 'one.key')).rejects.toThrow(/exit 2\n.*--tls-cert .* cannot be read \(ENOENT\)/s)
    const node = await start('expired.cert', 'expired.key')
    expect(node.log()).toContainEqual(expect.objectContaining({ validity: 'expired', level: 40 }))
    const { stderr } = await sheaf(['status', '--ca', CA], node.url)
    expect(stderr).toContain('its certificate has expired')
  })

  test('who comes by plain HTTP and goes, or stays, harms nobody', async () => {
    const flags = ['--tls-cert', pem('one.cert'), '--tls-key', pem('one.key')]
    const node = await NodeProcess.start({ dataDir: await temporaryDirectory(), flags })
    const port = Number(new URL(node.url).port)
    for (let i = 0; i < 50; i++) {
      const socket = connect({ port, host: '127.0.0.1' })
      await once(socket, 'connect')
      socket.on('error', () => {})
      socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      if (i % 2 === 0) socket.resetAndDestroy()
      else socket.write(Buffer.alloc(1_000_000, 1), () => socket.resetAndDestroy())
    }
    const staying = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    staying.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [answer] = await once(staying, 'data')
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /)
    const trickle = setInterval(() => staying.write('x'), 100)
    onTestFinished(() => clearInterval(trickle))
    staying.on('error', () => {})
    await new Promise(resolve => staying.once('close', resolve))
    expect((await sheaf(['status', '--ca', CA], node.url)).code).toBe(0)
    expect(await node.stop()).toBe(0)
  })

  test('new connections get the certificate that the files hold now', async () => {
    const folder = await temporaryDirectory()
    const [certFile, keyFile] = [join(folder, 'cert'), join(folder, 'key')]
    const put = async (name: string): Promise<void> => {
      await copyFile(pem(`${name}.cert`), certFile)
      await copyFile(pem(`${name}.key`), keyFile)
    }
    await put('one')
    const clock = new SimulatedClock(Date.UTC(2026, 0, 1))
    const tls = new TlsFiles({ clock, log: silentLog, fileSystem: nodeFileSystem }, { certFile, keyFile })
    await tls.start()
    onTestFinished(() => tls.stop())
    const server = await listening([{ host: '127.0.0.1', port: 0 }], tls)
    const subject = async (): Promise<unknown> => {
      const socket = connectTls({ port: server.address()?.port ?? 0, host: '127.0.0.1', rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const { CN } = socket.getPeerCertificate().subject
      socket.destroy()
      return CN
    }
    expect(await subject()).toBe('one')
    await put('two')
    await clock.advance(10_000)
    await expect.poll(subject).toBe('two')
  })

  test('--node https:// of a node that speaks HTTP is told so, and a --ca that is none', async () => {
    const node = await fakeNode((_, response) => response.end())
    const wrong = await cli(['status'], { node: node.replace('http', 'https') })
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('it does not speak HTTPS: use http://')])
    for (const [file, message] of [
      ['/none', '--ca /none cannot be read (ENOENT)'],
      [pem('one.key'), 'holds no certificate in PEM']
    ] as const) {
      const bad = await cli(['status', '--ca', file], { node })
      expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining(message)])
    }
  })
})
