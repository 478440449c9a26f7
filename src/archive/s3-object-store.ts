import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import { SheafError } from '../core/errors.js'
import type { ObjectStore, StoredObject } from './object-store.js'

const CONNECT_MS_MAX = 5_000
/** Servers refuse requests whose time is further off. */
const SKEW_MS_MAX = 15 * 60_000
const CLOCK_CODES = new Set(['RequestTimeTooSkewed', 'RequestExpired'])
const FULL_CODES = new Set([
  'QuotaExceeded',
  'InsufficientStorage',
  'XMinioStorageFull',
  'XMinioAdminBucketQuotaExceeded'
])
const SLOW_STATUSES = new Set([408, 429])
/** Of an answer that the SDK takes into memory: a page of a listing has some 2 MB at most. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024
/** Of what a server says about its errors: it goes into the log. */
const SAID_CHARACTERS_MAX = 200

export interface S3Init {
  readonly bucket: string
  /** Undefined: Amazon's, of the region. */
  readonly endpoint: string | undefined
  readonly region: string
  /** Stands before every name, with a slash between; may be empty. */
  readonly prefix: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

type Sdk = typeof import('@aws-sdk/client-s3')

/** What of the SDK's answers is looked at before the SDK does. */
interface HttpAnswer {
  readonly statusCode?: number
  body?: unknown
}

interface Connection {
  readonly sdk: Sdk
  readonly client: S3Client
}

/** What of an error of the SDK says what happened. */
interface S3Failure {
  readonly name?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

/**
 * Objects in a bucket of any S3. Bodies have a known length and no checksum of the newer kinds, which not every server knows;
 * whoever stores something here reads it back and hashes it. The SDK is loaded with the first request, and tries nothing again.
 */
export class S3ObjectStore implements ObjectStore {
  readonly #init: S3Init
  readonly #now: () => number
  #connection: Promise<Connection> | undefined

  /** @param components.now - wall clock, to tell a clock that is off from wrong credentials */
  constructor(components: { readonly now: () => number }, init: S3Init) {
    this.#now = components.now
    this.#init = init
  }

  put(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    return this.#ask(signal, async ({ sdk, client }) => {
      const input = { ...this.#object(name), Body: bytes, ContentLength: bytes.byteLength }
      const type = 'application/octet-stream'
      await client.send(new sdk.PutObjectCommand({ ...input, ContentType: type }), { abortSignal: signal })
    })
  }

  get(name: string, byteCountMax: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#ask(signal, async ({ sdk, client }) => {
      const answer = await client
        .send(new sdk.GetObjectCommand(this.#object(name)), { abortSignal: signal })
        .catch(err => {
          if (isMissing(err)) return undefined
          throw err
        })
      const body = answer?.Body as (AsyncIterable<Uint8Array> & { destroy(err?: Error): void }) | undefined
      if (body === undefined) return undefined
      const cut = (): void => body.destroy(new Error('the request was given up'))
      signal.addEventListener('abort', cut, { once: true })
      try {
        return await readBody(body, name, byteCountMax, answer?.ContentLength)
      } finally {
        signal.removeEventListener('abort', cut)
        body.destroy()
      }
    })
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject> {
    const { bucket } = this.#init
    const input = { Bucket: bucket, Prefix: this.#keyOf(prefix) }
    for (let after: string | undefined; ; ) {
      const page = await this.#ask(signal, ({ sdk, client }) =>
        client.send(new sdk.ListObjectsV2Command({ ...input, StartAfter: after }), { abortSignal: signal })
      )
      // any page of HTML reads like a listing of nothing
      if (page.IsTruncated === undefined)
        throw unreachable('the object store answers with something else than a listing')
      const objects = page.Contents ?? []
      for (const { Key = '', LastModified } of objects) {
        if (!Key.startsWith(input.Prefix)) throw foreign(prefix, Key)
        const name = Key.slice(this.#keyOf('').length)
        yield { name, modifiedMs: LastModified?.getTime() ?? 0 }
      }
      const last = objects.at(-1)?.Key
      if (page.IsTruncated !== true || last === undefined) return
      if (last === after) throw unreachable('the object store lists the same page again')
      after = last
    }
  }

  remove(name: string, signal: AbortSignal): Promise<void> {
    return this.#ask(signal, async ({ sdk, client }) => {
      await client.send(new sdk.DeleteObjectCommand(this.#object(name)), { abortSignal: signal }).catch(err => {
        if (!isMissing(err)) throw err
      })
    })
  }

  close(): void {
    // whoever asked was told why there is none
    void this.#connection?.then(
      ({ client }) => client.destroy(),
      () => {}
    )
    this.#connection = undefined
  }

  #object(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#init.bucket, Key: this.#keyOf(name) }
  }

  #keyOf(name: string): string {
    return this.#init.prefix === '' ? name : `${this.#init.prefix}/${name}`
  }

  async #ask<Result>(signal: AbortSignal, request: (connection: Connection) => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    this.#connection ??= this.#connect()
    try {
      return await request(await this.#connection)
    } catch (err) {
      signal.throwIfAborted()
      throw err instanceof SheafError ? err : this.#errorOf(err as S3Failure)
    }
  }

  async #connect(): Promise<Connection> {
    // It is pinned, so what later versions of it will need is not for the user of a node to hear.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
    const sdk = await import('@aws-sdk/client-s3')
    const { endpoint, region, credentials } = this.#init
    const client = new sdk.S3Client({
      region,
      credentials,
      ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
      maxAttempts: 1,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: CONNECT_MS_MAX }
    })
    // The SDK would follow the server's clock by itself, and nobody would learn that this machine's is off.
    Object.defineProperty(client.config, 'systemClockOffset', { get: () => 0, set: () => {} })
    client.middlewareStack.add(
      (next, { commandName }) =>
        async args => {
          const result = await next(args)
          const answer = result.response as HttpAnswer
          const isObject = commandName === 'GetObjectCommand' && (answer.statusCode ?? 0) < 300 // see readBody
          if (!isObject && answer.body instanceof Readable) answer.body = Readable.from(bounded(answer.body))
          return result
        },
      { step: 'deserialize', priority: 'low', name: 'boundAnswers' }
    )
    return { sdk, client }
  }

  #errorOf(cause: S3Failure): SheafError {
    const { bucket, endpoint = 'Amazon S3' } = this.#init
    const { $metadata, $response } = cause
    const [name, message] = [said(cause.name ?? 'Error'), said(cause.message ?? '')]
    const status = $metadata?.httpStatusCode
    const place = `${endpoint}, bucket ${bucket}`
    const init = { cause, details: { place, name, status: status ?? null } }
    const skewMs = this.#now() - Date.parse($response?.headers?.date ?? '')
    if (CLOCK_CODES.has(name) || (status === 403 && Math.abs(skewMs) > SKEW_MS_MAX)) {
      const off = Number.isNaN(skewMs) ? 'more than 15 minutes' : `${Math.round(Math.abs(skewMs) / 60_000)} minutes`
      const text = `the clock of this machine is ${off} off that of ${place}; set it, for instance with an NTP service`
      return new SheafError('ERR_ARCHIVE_CLOCK', text, init)
    }
    if (FULL_CODES.has(name) || status === 507)
      return new SheafError('ERR_ARCHIVE_FULL', `${place} takes no more (${name})`, init)
    if (status === undefined || status >= 500 || status < 300 || SLOW_STATUSES.has(status))
      return unreachable(`${place} does not answer as it should (${status ?? name}: ${message})`, init)
    const wayOut =
      name === 'NoSuchBucket' ? 'create the bucket' : 'check --archive-bucket, --archive-region and the credentials'
    return new SheafError('ERR_ARCHIVE_REFUSED', `${place} refuses the request (${status} ${name}); ${wayOut}`, init)
  }
}

async function readBody(
  body: AsyncIterable<Uint8Array>,
  name: string,
  byteCountMax: number,
  declared: number | undefined
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let byteCount = 0
  for await (const piece of body) {
    byteCount += piece.byteLength
    if (byteCount > byteCountMax)
      throw new SheafError(
        'ERR_ARCHIVE_DAMAGED',
        `the object ${name} is longer than the ${byteCountMax} bytes it may have`
      )
    pieces.push(piece)
  }
  if (declared !== undefined && byteCount < declared) throw unreachable(`the object store cut off the object ${name}`)
  return Buffer.concat(pieces)
}

/** @throws `ERR_ARCHIVE_UNREACHABLE` as soon as it is longer than an answer may be */
async function* bounded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let byteCount = 0
  for await (const piece of body) {
    byteCount += piece.byteLength
    if (byteCount > ANSWER_BYTES_MAX)
      throw unreachable(`the object store answers with more than ${ANSWER_BYTES_MAX} bytes, and with no object`)
    yield piece
  }
}

/** @returns what the server says, for a log: bounded, and on one line */
function said(text: string): string {
  return text.slice(0, SAID_CHARACTERS_MAX).replace(/\p{Cc}+/gu, ' ')
}

function foreign(prefix: string, key: string): SheafError {
  const message = `the object store lists ${said(key)} where ${prefix} was asked for; this is no S3 that can be used`
  return new SheafError('ERR_ARCHIVE_REFUSED', message)
}

/** Whether the object is missing, and not the bucket. */
function isMissing(err: unknown): boolean {
  const { name, $metadata } = err as S3Failure
  return name === 'NoSuchKey' || name === 'NotFound' || ($metadata?.httpStatusCode === 404 && name !== 'NoSuchBucket')
}

function unreachable(message: string, init?: ConstructorParameters<typeof SheafError>[2]): SheafError {
  return new SheafError('ERR_ARCHIVE_UNREACHABLE', message, init)
}
