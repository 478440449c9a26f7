import { connect, type Socket } from 'node:net'

/** A TCP connection on which a test writes whatever it likes. */
export class RawConnection {
  readonly socket: Socket
  #received = Buffer.alloc(0)
  #wake: () => void = () => {}
  #closed = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
    // A reset is one of the answers that tests expect: it shows as closed.
    socket.on('error', () => {})
  }

  /** @param pauseReads - take nothing of what the server sends */
  static async open(port: number, init: { readonly pauseReads?: boolean } = {}): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1' })
    const connection = new RawConnection(socket)
    if (init.pauseReads) socket.pause()
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return connection
  }

  get received(): Buffer {
    return this.#received
  }

  get text(): string {
    return this.#received.toString('latin1')
  }

  get isClosed(): boolean {
    return this.#closed
  }

  write(data: string | Uint8Array): this {
    this.socket.write(data)
    return this
  }

  /** Resolves when `condition` holds, or rejects when the connection closes before. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#closed) throw new Error(`closed before that; received: ${this.text.slice(0, 500)}`)
      await this.#event()
    }
  }

  async untilText(part: string): Promise<void> {
    await this.until(() => this.text.includes(part))
  }

  /** @returns all that was received */
  async untilClosed(): Promise<string> {
    this.socket.resume()
    while (!this.#closed) await this.#event()
    return this.text
  }

  destroy(): void {
    this.socket.destroy()
  }

  #event(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}
