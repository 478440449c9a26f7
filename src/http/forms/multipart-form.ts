import { SheafError } from '../../core/errors.js'
import { ContentDigests, checkPlain, type HeaderOf } from '../wire/content-claims.js'
import type { RequestBody } from '../wire/request-bodies.js'
import { FormParser } from './form-parser.js'
import { type FormPartHead, parseBoundary, parsePartHead } from './form-part-head.js'

const FILE_FIELD = 'file'
export const FIELDS_MAX = 100
export const FIELD_BYTES_MAX = 16 * 1024

/** The bytes of a form; `return` is called when the rest is not needed. */
export type FormBody = Pick<RequestBody, 'next' | 'return'>

/** A form with one file, read up to where the file begins. */
export interface UploadForm {
  /** In the order of the form; only known names. */
  readonly fields: readonly FormField[]
  readonly filename: string | undefined
  readonly contentType: string | undefined
  /**
   * The file's bytes; can be read once. Ends only after the closing boundary was read, so that a truncated file is never
   * taken for a complete one.
   */
  readonly file: AsyncIterable<Uint8Array>
}

export interface FormField {
  readonly name: string
  readonly value: string
}

export function fieldValues(fields: readonly FormField[], name: string): string[] {
  return fields.filter(field => field.name === name).map(field => field.value)
}

/** @throws `ERR_BAD_PARAMETER` when the field is repeated */
export function singleField(fields: readonly FormField[], name: string): string | undefined {
  const [value, ...more] = fieldValues(fields, name)
  if (more.length > 0) throw new SheafError('ERR_BAD_PARAMETER', `the field ${name} may appear only once`)
  return value
}

/**
 * Reads a multipart/form-data body with one part `file`. Fields must precede the file: storing it requires them.
 *
 * @param contentType - of the request, with the boundary
 * @param fieldNames - allowed fields
 * @param options.fieldsAfterFile - fields may also follow the file; those are available once the file has been read
 * @throws here or from `file`: `ERR_NOT_MULTIPART`, `ERR_NO_FILE`, `ERR_BAD_PARAMETER`, `ERR_BAD_REQUEST`,
 * `ERR_TRUNCATED_BODY`, `ERR_UNSUPPORTED_ENCODING`, `ERR_DIGEST_MISMATCH`, and whatever the body throws
 */
export async function readUploadForm(
  body: FormBody,
  contentType: string | undefined,
  fieldNames: ReadonlySet<string>,
  options: { readonly fieldsAfterFile?: boolean } = {}
): Promise<UploadForm> {
  const reader = new FormReader(body, parseBoundary(contentType), fieldNames, options.fieldsAfterFile === true)
  return await reader.open()
}

interface OpenField {
  readonly name: string
  readonly pieces: Uint8Array[]
  bytes: number
}

/** Feeds the body to the parser one piece at a time, only as fast as the file is read. */
class FormReader {
  readonly #body: FormBody
  readonly #parser: FormParser
  readonly #fieldNames: ReadonlySet<string>
  readonly #fieldsAfterFile: boolean
  readonly #fields: FormField[] = []
  /** The field being read. */
  #field: OpenField | undefined
  /** The file's part, once it has begun. */
  #file: FormPartHead | undefined
  /** What its headers declare for its bytes. */
  #digests: ContentDigests | undefined
  /** Bytes of the file not yet yielded. */
  #pieces: Uint8Array[] = []

  constructor(body: FormBody, boundary: string, fieldNames: ReadonlySet<string>, fieldsAfterFile: boolean) {
    this.#body = body
    this.#parser = new FormParser(boundary)
    this.#fieldNames = fieldNames
    this.#fieldsAfterFile = fieldsAfterFile
  }

  async open(): Promise<UploadForm> {
    while (this.#file === undefined) {
      const more = await this.#advance()
      if (!more && this.#file === undefined) throw new SheafError('ERR_NO_FILE', 'the form has no field "file"')
    }
    const { filename, contentType } = this.#file
    return { fields: this.#fields, filename, contentType, file: this.#readFile() }
  }

  async *#readFile(): AsyncGenerator<Uint8Array> {
    try {
      for (let more = true; more || this.#pieces.length > 0; ) {
        const pieces = this.#pieces
        this.#pieces = []
        yield* pieces
        more = await this.#advance()
      }
      this.#digests?.check()
    } finally {
      await this.#body.return()
    }
  }

  /** Parses one piece of the body. @returns false at the end of a complete form */
  async #advance(): Promise<boolean> {
    const { done, value } = await this.#body.next()
    if (done) {
      if (this.#parser.closed) return false
      throw new SheafError('ERR_TRUNCATED_BODY', 'the form ends before its closing boundary')
    }
    for (const event of this.#parser.feed(value)) {
      if (event.kind === 'part') this.#begin(event.headers)
      else if (event.kind === 'end') this.#end()
      else if (this.#field === undefined) this.#addToFile(event.bytes)
      else this.#addToField(this.#field, event.bytes)
    }
    return true
  }

  #begin(headers: ReadonlyMap<string, string>): void {
    const head = parsePartHead(headers)
    if (head === undefined) {
      throw new SheafError('ERR_BAD_REQUEST', 'a part of the form has no Content-Disposition with a name')
    }
    const { name, filename } = head
    const headerOf: HeaderOf = header => headers.get(header)
    checkPlain(headerOf)
    if (this.#file !== undefined && (name === FILE_FIELD || !this.#fieldsAfterFile)) {
      const message =
        name === FILE_FIELD
          ? 'the form has several files; send one per request'
          : `the field ${JSON.stringify(name)} must come before the file`
      throw new SheafError('ERR_BAD_PARAMETER', message)
    }
    if (name === FILE_FIELD) {
      this.#file = head
      this.#digests = ContentDigests.declaredBy(headerOf)
      return
    }
    if (filename !== undefined) {
      throw new SheafError('ERR_NO_FILE', `the file must be in the field "file", not in ${JSON.stringify(name)}`)
    }
    if (!this.#fieldNames.has(name)) {
      throw new SheafError('ERR_BAD_PARAMETER', `the form has an unknown field ${JSON.stringify(name)}`)
    }
    if (this.#fields.length >= FIELDS_MAX) {
      throw new SheafError('ERR_BAD_PARAMETER', `a form may have at most ${FIELDS_MAX} fields`)
    }
    this.#field = { name, pieces: [], bytes: 0 }
  }

  #addToFile(bytes: Uint8Array): void {
    this.#digests?.add(bytes)
    this.#pieces.push(bytes)
  }

  #addToField(field: OpenField, bytes: Uint8Array): void {
    field.pieces.push(bytes)
    field.bytes += bytes.byteLength
    if (field.bytes > FIELD_BYTES_MAX) {
      throw new SheafError('ERR_BAD_PARAMETER', `the field ${JSON.stringify(field.name)} is longer than 16 KiB`)
    }
  }

  #end(): void {
    if (this.#field === undefined) return
    const { name, pieces } = this.#field
    this.#fields.push({ name, value: Buffer.concat(pieces).toString() })
    this.#field = undefined
  }
}
