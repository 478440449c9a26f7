import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'

/** What a node can send, all its connections together. */
export class Uplink {
  bytesPerSecond = Number.POSITIVE_INFINITY
  /** When what has begun to leave will have left. */
  #freeMs = 0

  /** @returns passes on at the rate of the uplink */
  stream(): Transform {
    return new Transform({
      transform: (chunk: Uint8Array, _encoding, done) => {
        const now = performance.now()
        this.#freeMs = Math.max(now, this.#freeMs) + (chunk.byteLength / this.bytesPerSecond) * 1_000
        setTimeout(() => done(null, chunk), this.#freeMs - now)
      }
    })
  }
}

/**
 * The ways to some nodes on loopback, each through a port that passes everything on while the network is whole. Nodes that
 * advertise these ports can be cut off from each other, all from all, and healed.
 */
export class CutNetwork {
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  #whole = true

  /**
   * @param uplink - of the node; default: no limit
   * @returns where others find a node that listens on `port`, HOST:PORT
   */
  async wayTo(port: number, uplink?: Uplink): Promise<string> {
    const server = createServer(socket => this.#pass(socket, port, uplink))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#servers.push(server)
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  cut(): void {
    this.#whole = false
    for (const socket of this.#sockets) socket.destroy()
  }

  heal(): void {
    this.#whole = true
  }

  close(): void {
    this.cut()
    for (const server of this.#servers) server.close()
  }

  #pass(socket: Socket, port: number, uplink: Uplink | undefined): void {
    if (!this.#whole) {
      socket.destroy()
      return
    }
    const onward = connect({ port, host: '127.0.0.1', noDelay: true })
    for (const [end, other] of [
      [socket, onward],
      [onward, socket]
    ] as const) {
      this.#sockets.add(end)
      end.on('error', () => other.destroy()) // the node at one end is gone, or the network was cut
      end.on('close', () => {
        this.#sockets.delete(end)
        other.destroy()
      })
      if (end === onward && uplink !== undefined) end.pipe(uplink.stream()).pipe(other)
      else end.pipe(other)
    }
  }
}

/** @returns a port that was free a moment ago */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
