/*
 * The least that a durable PUT can cost over HTTP in Node: receive the body, hash it (SHA-256), append it to one file, and
 * share one fdatasync among all that wait for it. No ids, no records, no index.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Waiting {
  readonly body: readonly Buffer[]
  readonly answer: () => void
}

const file = await open(process.argv[2] as string, 'wx')
let end = 0
let waiting: Waiting[] = []
let writing = false

async function writeGroups(): Promise<void> {
  if (writing) return
  writing = true
  while (waiting.length > 0) {
    const group = waiting
    waiting = []
    const { bytesWritten } = await file.writev(
      group.flatMap(({ body }) => body),
      end
    )
    end += bytesWritten
    await file.datasync()
    for (const { answer } of group) answer()
  }
  writing = false
}

function put(request: IncomingMessage, response: ServerResponse): void {
  const hash = createHash('sha256')
  const body: Buffer[] = []
  request.on('data', (piece: Buffer) => {
    hash.update(piece)
    body.push(piece)
  })
  request.once('end', () => {
    const text = JSON.stringify({ sha256: hash.digest('hex') })
    const answer = (): void => {
      response.writeHead(201, { 'content-type': 'application/json', 'content-length': text.length }).end(text)
    }
    waiting.push({ body, answer })
    void writeGroups()
  })
}

const server = createServer(put)
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.once('disconnect', () => process.exit())
