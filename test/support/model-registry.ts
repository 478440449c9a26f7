import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { onTestFinished } from 'vitest'

export interface RegistryServer {
  /** Its URL, as npm would have it. */
  readonly url: string
  /** What was asked for: path, and range where one was given. */
  readonly asked: readonly string[]
  /** The connection breaks within each of the next answers. */
  breakNext(answers: number): void
}

/** A server of files, by path; ranges work. */
export async function serveFiles(files: Readonly<Record<string, Uint8Array>>): Promise<RegistryServer> {
  const asked: string[] = []
  let breaks = 0
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '')
    asked.push([path, request.headers.range].filter(part => part !== undefined).join(' '))
    const file = files[path]
    if (file === undefined) return void response.writeHead(404).end()
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const rest = file.subarray(from)
    const range = { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` }
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length, ...(from > 0 ? range : {}) })
    if (breaks-- <= 0) return void response.end(rest)
    response.write(rest.subarray(0, rest.length >> 1), () => request.socket.end())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    breakNext: answers => {
      breaks = answers
    }
  }
}

/** @returns a `.tgz` as npm makes it */
export async function npmTarball(files: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const archive = pack()
  archive.entry({ name: 'package/', type: 'directory' })
  for (const [path, content] of Object.entries(files)) {
    archive.entry({ name: `package/${path}` }, Buffer.from(content))
  }
  archive.finalize()
  const parts: Buffer[] = []
  for await (const part of archive as AsyncIterable<Buffer>) parts.push(part)
  return gzipSync(Buffer.concat(parts))
}

/** @returns the integrity of a tarball, as npm writes it */
export function integrityOf(tarball: Uint8Array): string {
  return `sha512-${hash('sha512', tarball, 'base64')}`
}
