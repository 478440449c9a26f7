import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

const PIECE_BYTES = 256 * 1024

/** @returns what one TCP stream on loopback carries between two processes that do nothing else, bytes a second */
export async function tcpBytesPerSecond(byteCount: number): Promise<number> {
  const piece = Buffer.alloc(PIECE_BYTES, 7)
  const server = createServer(socket => {
    let left = byteCount
    const send = (): void => {
      while (left > 0) {
        left -= PIECE_BYTES
        if (!socket.write(piece)) return
      }
      socket.end()
    }
    socket.on('drain', send)
    send()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const reader = `
    let bytes = 0; const from = performance.now()
    const socket = require('net').connect(${port}, '127.0.0.1')
    socket.on('data', data => { bytes += data.length })
    socket.on('end', () => console.log(bytes / (performance.now() - from) * 1000))`
  const child = spawn(process.execPath, ['-e', reader], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', data => {
    output += data
  })
  await once(child, 'close')
  server.close()
  return Number(output)
}
