import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../../core/clock.js'
import { SheafError, systemErrorCode } from '../../core/errors.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'

/** How often a stopping server closes connections that have become idle, ms. */
const SWEEP_MS = 25

export interface HttpServerInit {
  /** Address to listen on, e.g. `127.0.0.1`, `0.0.0.0`, `::`. */
  readonly host: string
  /** 0: the system chooses one. */
  readonly port: number
  /** The flag that chose the address, for errors; default `--http`. */
  readonly flag?: string
  /** How long `stop` waits for running requests, ms; default 10,000. */
  readonly stopMsMax?: number
}

/** Makes an app of {@link buildHttpApp} listen, and stops it gracefully. */
export class HttpServer implements Startable {
  readonly #app: FastifyInstance
  readonly #clock: Clock
  readonly #log: Logger
  readonly #init: HttpServerInit
  #stopping: Promise<void> | undefined

  constructor(
    components: { readonly app: FastifyInstance; readonly clock: Clock; readonly log: Logger },
    init: HttpServerInit
  ) {
    this.#app = components.app
    this.#clock = components.clock
    this.#log = components.log
    this.#init = init
  }

  /** @throws `ERR_ADDRESS_IN_USE`; `ERR_CONFIG` when the address cannot be used */
  async start(): Promise<void> {
    const { host, port, flag = '--http' } = this.#init
    await this.#app.ready()
    const { server } = this.#app
    await new Promise<void>((resolve, reject) => {
      const refuse = (cause: Error): void => reject(listenError(cause, { host, port, flag }))
      server.once('error', refuse)
      server.listen({ host, port, backlog: 1024 }, () => {
        server.off('error', refuse)
        resolve()
      })
    })
  }

  /** The address that it listens on; undefined: it does not listen. */
  address(): { readonly host: string; readonly port: number } | undefined {
    const address = this.#app.server.address() as AddressInfo | null
    return address === null ? undefined : { host: address.address, port: address.port }
  }

  /** Accepts no more requests, waits for running ones to end, and cuts those left after the deadline. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    const { server } = this.#app
    if (server.listening) {
      const deadline = this.#clock.monotonic() + (this.#init.stopMsMax ?? 10_000)
      let closed = false
      server.close(() => {
        closed = true
      })
      // Node closes only connections that are idle now; others become idle when their last answer was sent.
      while (!closed && this.#clock.monotonic() < deadline) {
        server.closeIdleConnections()
        await this.#clock.sleep(SWEEP_MS)
      }
      if (!closed) this.#log.warn({}, 'requests still running at the stop deadline were cut off')
      server.closeAllConnections()
    }
    await this.#app.close()
  }
}

function listenError(
  cause: Error,
  { host, port, flag }: { readonly host: string; readonly port: number; readonly flag: string }
): SheafError {
  const code = systemErrorCode(cause)
  if (code === 'EADDRINUSE') {
    return new SheafError('ERR_ADDRESS_IN_USE', `${host}:${port} is in use; choose another with ${flag} HOST:PORT`, {
      cause
    })
  }
  return new SheafError(
    'ERR_CONFIG',
    `cannot listen on ${host}:${port} (${code ?? cause.message}); see ${flag} HOST:PORT`,
    {
      cause
    }
  )
}
