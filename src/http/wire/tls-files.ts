import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { Clock } from '../../core/clock.js'
import { SheafError, systemErrorCode } from '../../core/errors.js'
import type { FileSystem } from '../../core/file-system.js'
import type { Startable } from '../../core/lifecycle.js'
import type { Logger } from '../../core/log.js'

/** How often the files are looked at for a change. Polled, because they are often links that are put in another's place. */
const POLL_MS = 10_000
/** A certificate that ends sooner is warned of. */
const SOON_MS = 14 * 24 * 3_600_000

/** A certificate, with its chain, and its private key; both PEM. */
export interface TlsPair {
  readonly cert: Buffer
  readonly key: Buffer
}

type Validity = 'good' | 'not yet valid' | 'ends soon' | 'expired'

export interface TlsFilesInit {
  /** `--tls-cert` */
  readonly certFile: string
  /** `--tls-key` */
  readonly keyFile: string
}

/**
 * The certificate and key of the HTTP server, which are read again when their files change. A changed pair that cannot be
 * used is logged, and the one before stays; so nobody needs to replace two files at once.
 */
export class TlsFiles implements Startable {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #fileSystem: Pick<FileSystem, 'readFile'>
  readonly #init: TlsFilesInit
  readonly #listeners: ((pair: TlsPair) => void)[] = []
  #pair: TlsPair | undefined
  #certificate: X509Certificate | undefined
  #validity: Validity = 'good'
  /** Why the files cannot be used at the moment; it is logged once. */
  #fault: string | undefined
  #cancel: () => void = () => {}
  #polling: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(
    components: {
      readonly clock: Clock
      readonly log: Logger
      readonly fileSystem: Pick<FileSystem, 'readFile'>
    },
    init: TlsFilesInit
  ) {
    this.#clock = components.clock
    this.#log = components.log
    this.#fileSystem = components.fileSystem
    this.#init = init
  }

  /** The pair in use; undefined before {@link start}. */
  get pair(): TlsPair | undefined {
    return this.#pair
  }

  /** Up to when the certificate in use is valid, ms since the Unix epoch; undefined before {@link start}. */
  get endsAtMs(): number | undefined {
    return this.#certificate && Date.parse(this.#certificate.validTo)
  }

  /** Called with each new pair. */
  onChange(listener: (pair: TlsPair) => void): void {
    this.#listeners.push(listener)
  }

  /** Reads both files. @throws `ERR_CONFIG` when they cannot be used */
  async start(): Promise<void> {
    await this.#load()
    this.#warn()
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#polling
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#cancel = this.#clock.schedule(POLL_MS, () => {
      this.#polling = this.#poll().finally(() => this.#schedule())
    })
  }

  async #poll(): Promise<void> {
    try {
      const isNew = await this.#load()
      this.#fault = undefined
      if (isNew) {
        this.#log.info({ certificate: this.#describe() }, 'took a new TLS certificate')
        for (const listener of this.#listeners) listener(this.#pair as TlsPair)
      }
    } catch (err) {
      const fault = err instanceof Error ? err.message : String(err)
      if (fault !== this.#fault)
        this.#log.error({ err }, 'the changed TLS certificate or key cannot be used; the ones before stay')
      this.#fault = fault
    }
    this.#warn()
  }

  /** @returns whether the files hold another pair than before */
  async #load(): Promise<boolean> {
    const { certFile, keyFile } = this.#init
    const cert = await this.#read('--tls-cert', certFile)
    const key = await this.#read('--tls-key', keyFile)
    if (this.#pair?.cert.equals(cert) === true && this.#pair.key.equals(key)) return false
    const certificate = parse(() => new X509Certificate(cert), `--tls-cert ${certFile} holds no certificate in PEM`)
    const privateKey: KeyObject = parse(
      () => createPrivateKey(key),
      `--tls-key ${keyFile} holds no private key in PEM without a passphrase`
    )
    if (!certificate.checkPrivateKey(privateKey))
      throw new SheafError(
        'ERR_CONFIG',
        `the key in --tls-key ${keyFile} is not that of the certificate in ${certFile}`
      )
    // all of the chain, which may be half written
    parse(() => createSecureContext({ cert, key }), `--tls-cert ${certFile} has a chain that is cut or cannot be used`)
    this.#pair = { cert, key }
    this.#certificate = certificate
    return true
  }

  async #read(flag: string, path: string): Promise<Buffer> {
    let bytes: Uint8Array | undefined
    try {
      bytes = await this.#fileSystem.readFile(path)
    } catch (cause) {
      throw new SheafError('ERR_CONFIG', `${flag} ${path} cannot be read (${systemErrorCode(cause) ?? cause})`, {
        cause
      })
    }
    if (bytes === undefined) throw new SheafError('ERR_CONFIG', `${flag} ${path} cannot be read (ENOENT)`)
    return Buffer.from(bytes)
  }

  /** Says once when the certificate is not valid, or soon will be no more. It is used all the same. */
  #warn(): void {
    const validity = this.#validityNow()
    if (validity !== 'good' && validity !== this.#validity)
      this.#log.warn(
        { validity, certificate: this.#describe() },
        'look at the TLS certificate: clients refuse it, or soon will'
      )
    this.#validity = validity
  }

  #validityNow(): Validity {
    const endsMs = this.endsAtMs
    if (this.#certificate === undefined || endsMs === undefined) return 'good'
    const now = this.#clock.now()
    if (now < Date.parse(this.#certificate.validFrom)) return 'not yet valid'
    if (now >= endsMs) return 'expired'
    return now >= endsMs - SOON_MS ? 'ends soon' : 'good'
  }

  #describe(): object | undefined {
    const { subject, validFrom, validTo, fingerprint256 } = this.#certificate ?? {}
    return { subject, validFrom, validTo, fingerprint256 }
  }
}

function parse<T>(read: () => T, fault: string): T {
  try {
    return read()
  } catch (cause) {
    throw new SheafError('ERR_CONFIG', fault, { cause })
  }
}
