import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }

/**
 * `cut`: half of the answer, then the connection ends. `wrong`: other bytes. `longer`: more bytes. `slow`: never ends.
 * `away`: the connection ends at once. `page`: HTML, with status 200. `endless`: an answer without end. `foreign`: lists
 * everything. A number: that status; with a code of S3: that error.
 */
export type Fault =
  | 'cut'
  | 'wrong'
  | 'longer'
  | 'slow'
  | 'away'
  | 'page'
  | 'endless'
  | 'foreign'
  | readonly [status: number, code: string]

export interface FakeS3Request {
  readonly method: string
  /** Undefined for requests to the bucket. */
  readonly key: string | undefined
}

/** As much of S3 as an archive needs, path style, with pages of three: it fails on demand. */
export class FakeS3 {
  readonly objects = new Map<string, Buffer>()
  readonly requests: FakeS3Request[] = []
  /** Headers of the latest request. */
  headers: IncomingMessage['headers'] = {}
  buckets = new Set(['photos'])
  fault: (request: FakeS3Request) => Fault | undefined = () => undefined
  /** How far its clock is ahead of the machine's. */
  skewMs = 0
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  static async start(): Promise<FakeS3> {
    const fake = new FakeS3()
    await new Promise<void>(resolve => fake.#server.listen(0, '127.0.0.1', resolve))
    return fake
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const url = new URL(request.url ?? '/', 'http://s3')
    const [bucket = '', ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent)
    const key = rest.join('/') === '' ? undefined : rest.join('/')
    const asked = { method: request.method ?? '', key }
    this.requests.push(asked)
    this.headers = request.headers
    response.setHeader('date', new Date(this.#now()).toUTCString())
    const fault = this.fault(asked)
    if (fault === 'away') return void request.socket.destroy()
    if (fault === 'slow') return
    if (fault === 'page') return void response.end('<html><body>log in first</body></html>')
    if (fault === 'endless') return this.#endless(response)
    if (Array.isArray(fault)) return this.#error(response, fault[0] as number, fault[1] as string)
    const { authorization = '', 'x-amz-date': date = '' } = request.headers
    if (!authorization.includes(`Credential=${CREDENTIALS.accessKeyId}/`))
      return this.#error(response, 403, 'InvalidAccessKeyId')
    const sentMs = Date.parse(String(date).replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
    if (Math.abs(this.#now() - sentMs) > 15 * 60_000) return this.#error(response, 403, 'RequestTimeTooSkewed')
    if (!this.buckets.has(bucket)) return this.#error(response, 404, 'NoSuchBucket')
    if (fault === 'foreign') url.searchParams.delete('prefix')
    if (key === undefined) return this.#list(response, url.searchParams)
    if (asked.method === 'PUT') {
      const body = Buffer.concat(pieces)
      this.objects.set(key, fault === 'wrong' ? flipped(body) : body)
      response.setHeader('etag', '"0"').end()
    } else if (asked.method === 'DELETE') {
      this.objects.delete(key)
      response.writeHead(204).end()
    } else this.#get(request, response, this.objects.get(key), fault)
  }

  #get(request: IncomingMessage, response: ServerResponse, stored: Buffer | undefined, fault: Fault | undefined): void {
    if (stored === undefined) {
      this.#error(response, 404, 'NoSuchKey')
      return
    }
    const body =
      fault === 'wrong' ? flipped(stored) : fault === 'longer' ? Buffer.concat([stored, Buffer.alloc(1)]) : stored
    response.setHeader('content-length', body.byteLength)
    if (fault === 'cut') response.write(body.subarray(0, body.byteLength / 2), () => request.socket.destroy())
    else response.end(body)
  }

  #endless(response: ServerResponse): void {
    const bytes = Buffer.alloc(1024 * 1024, ' ')
    const more = (): void => {
      if (!response.destroyed) response.write(bytes, more)
    }
    response.writeHead(500)
    more()
  }

  #list(response: ServerResponse, query: URLSearchParams): void {
    const [prefix, after] = [query.get('prefix') ?? '', query.get('start-after') ?? '']
    const keys = [...this.objects.keys()].filter(key => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, 3).map(key => {
      const size = this.objects.get(key)?.byteLength
      return `<Contents><Key>${key}</Key><Size>${size}</Size><LastModified>2026-11-30T00:00:00.000Z</LastModified></Contents>`
    })
    const isTruncated = `<IsTruncated>${keys.length > 3}</IsTruncated>`
    response.setHeader('content-type', 'application/xml')
    response.end(`<?xml version="1.0"?><ListBucketResult>${isTruncated}${page.join('')}</ListBucketResult>`)
  }

  #error(response: ServerResponse, status: number, code: string): void {
    response.writeHead(status, { 'content-type': 'application/xml' })
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as asked for</Message></Error>`)
  }

  #now(): number {
    return Date.now() + this.skewMs
  }
}

function flipped(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes)
  if (other.byteLength > 0) other[0] = (other[0] as number) ^ 1
  return other
}
