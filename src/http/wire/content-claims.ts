import { createHash, type Hash } from 'node:crypto'
import { SheafError } from '../../core/errors.js'

/*
 * What headers say about the bytes that follow them, of a request or of a part of a form: that they are encoded, a piece of
 * something, or what their digests are. What is said is refused or checked; nothing of it is ignored and stored as a photo.
 */

/** @returns the value of a header, by its lower-case name */
export type HeaderOf = (name: string) => string | undefined

/** Encodings under which bytes travel as they are. */
const PLAIN: Readonly<Record<string, readonly string[]>> = {
  'content-encoding': ['identity'],
  'content-transfer-encoding': ['7bit', '8bit', 'binary'],
  'transfer-encoding': ['chunked']
}

/** Digests that are checked, and their lengths in bytes. RFC 9530 and RFC 3230 have others ignored. */
const DIGEST_BYTES: Readonly<Record<string, number>> = { md5: 16, sha: 20, 'sha-256': 32, 'sha-512': 64 }
/** A member of a dictionary of byte sequences, perhaps with parameters (RFC 8941, sections 3.2 and 3.3.5). */
const FIELD_MEMBER = /^([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/]*={0,2}):(?:;[\x20-\x7e]*)?$/
/** RFC 3230, section 4.1.1. */
const INSTANCE_DIGEST = /^([\w!#$%&'*+.^`|~-]+)=([\x21-\x3c\x3e-\x7e][\x21-\x7e]*)$/
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * @throws `ERR_UNSUPPORTED_ENCODING` for bytes that are encoded: they would be stored so; `ERR_BAD_PARAMETER` for a piece of
 * a file
 */
export function checkPlain(headerOf: HeaderOf): void {
  for (const [name, plain] of Object.entries(PLAIN)) {
    const value = headerOf(name) ?? ''
    const encodings = value.split(',').map(encoding => encoding.trim().toLowerCase())
    if (encodings.every(encoding => encoding === '' || plain.includes(encoding))) continue
    throw new SheafError(
      'ERR_UNSUPPORTED_ENCODING',
      `${name} is ${JSON.stringify(value.slice(0, 100))}: send the bytes as they are, without this header`
    )
  }
  if (headerOf('content-range') !== undefined)
    throw new SheafError('ERR_BAD_PARAMETER', 'Content-Range: a piece of a file is not stored; send all of it at once')
}

/** Header fields with digests, which may also follow a chunked body as trailers. */
const DIGEST_FIELDS: ReadonlySet<string> = new Set(['content-md5', 'content-digest', 'repr-digest', 'digest'])

interface Digest {
  /** The header that declares it. */
  readonly header: string
  readonly algorithm: string
  readonly expected: Buffer
}

/** Checks bytes as they pass against the digests that headers declare for them. */
export class ContentDigests {
  readonly #digests: readonly Digest[]
  readonly #hashes: ReadonlyMap<string, Hash>

  private constructor(digests: readonly Digest[], algorithms: ReadonlySet<string>) {
    this.#digests = digests
    this.#hashes = new Map(Array.from(algorithms, algorithm => [algorithm, createHash(nodeName(algorithm))]))
  }

  /**
   * @returns undefined: none is declared, nor announced by `Trailer`, so there is nothing to compute
   * @throws `ERR_BAD_PARAMETER` when one is malformed
   */
  static declaredBy(headerOf: HeaderOf): ContentDigests | undefined {
    const digests = declaredDigests(headerOf)
    const trailers = listOf(headerOf('trailer')?.toLowerCase())
    const isAnnounced = trailers.some(field => DIGEST_FIELDS.has(field))
    const algorithms = isAnnounced ? Object.keys(DIGEST_BYTES) : digests.map(({ algorithm }) => algorithm)
    return algorithms.length === 0 ? undefined : new ContentDigests(digests, new Set(algorithms))
  }

  add(piece: Uint8Array): void {
    for (const hash of this.#hashes.values()) hash.update(piece)
  }

  /**
   * Call once, after the last piece.
   *
   * @param trailerOf - default: there are no trailers
   * @throws `ERR_DIGEST_MISMATCH`, `ERR_BAD_PARAMETER` for a malformed trailer
   */
  check(trailerOf: HeaderOf = () => undefined): void {
    const actual = new Map(Array.from(this.#hashes, ([algorithm, hash]) => [algorithm, hash.digest()]))
    for (const { header, algorithm, expected } of [...this.#digests, ...declaredDigests(trailerOf)]) {
      const digest = actual.get(algorithm)
      if (digest === undefined || digest.equals(expected)) continue
      const came = digest.toString('base64')
      throw new SheafError(
        'ERR_DIGEST_MISMATCH',
        `${header} does not fit: the ${algorithm} of the bytes that came is ${came}`
      )
    }
  }
}

function declaredDigests(headerOf: HeaderOf): Digest[] {
  return [
    ...md5Of(headerOf('content-md5')),
    ...fieldDigests('Content-Digest', headerOf('content-digest')),
    // without an encoding and whole, the representation is the content
    ...fieldDigests('Repr-Digest', headerOf('repr-digest')),
    ...instanceDigests(headerOf('digest'))
  ]
}

/** RFC 1864. */
function md5Of(value: string | undefined): Digest[] {
  return value === undefined ? [] : digestOf('Content-MD5', 'md5', value)
}

/** RFC 9530, sections 2 and 3: `sha-256=:…:, sha-512=:…:`. */
function fieldDigests(header: string, value: string | undefined): Digest[] {
  return listOf(value).flatMap(member => {
    const [, algorithm, digest] = FIELD_MEMBER.exec(member) ?? []
    if (algorithm === undefined || digest === undefined) throw malformed(header)
    return digestOf(header, algorithm, digest)
  })
}

/** RFC 3230, section 4.3.2: `SHA-256=…,md5=…`. */
function instanceDigests(value: string | undefined): Digest[] {
  return listOf(value).flatMap(member => {
    const [, algorithm, digest] = INSTANCE_DIGEST.exec(member) ?? []
    if (algorithm === undefined || digest === undefined) throw malformed('Digest')
    return digestOf('Digest', algorithm.toLowerCase(), digest)
  })
}

/** @returns none for an algorithm that is not known here */
function digestOf(header: string, algorithm: string, base64: string): Digest[] {
  if (!Object.hasOwn(DIGEST_BYTES, algorithm)) return []
  const expected = Buffer.from(base64, 'base64')
  if (!BASE64.test(base64) || expected.length !== DIGEST_BYTES[algorithm]) throw malformed(header)
  return [{ header, algorithm, expected }]
}

function listOf(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map(member => member.trim())
    .filter(member => member !== '')
}

function nodeName(algorithm: string): string {
  return algorithm === 'sha' ? 'sha1' : algorithm.replace('-', '')
}

function malformed(header: string): SheafError {
  const form = header === 'Content-MD5' ? 'MD5 in base64' : header === 'Digest' ? 'sha-256=BASE64' : 'sha-256=:BASE64:'
  return new SheafError('ERR_BAD_PARAMETER', `${header} is malformed: it must be like ${form}`)
}
