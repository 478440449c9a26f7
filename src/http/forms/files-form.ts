import { SheafError } from '../../core/errors.js'
import { ContentDigests, checkPlain, type HeaderOf } from '../wire/content-claims.js'
import { type FormEvent, FormParser } from './form-parser.js'
import { type FormPartHead, parseBoundary, parsePartHead } from './form-part-head.js'
import { FIELD_BYTES_MAX, FIELDS_MAX, type FormBody, type FormField } from './multipart-form.js'

/** A file of a form with several. */
export interface FormFile {
  readonly filename: string | undefined
  readonly contentType: string | undefined
  /** To be read before the next file is asked for; what is left of it then is skipped. */
  readonly bytes: AsyncIterable<Uint8Array>
}

export interface FilesFormInit {
  readonly fieldNames: ReadonlySet<string>
  readonly fileNames: ReadonlySet<string>
  readonly filesMax: number
}

/**
 * A multipart/form-data body with fields, then any number of files, read only as fast as the files are. A truncated file is
 * never taken for a complete one.
 *
 * Errors: `ERR_NOT_MULTIPART`, `ERR_BAD_PARAMETER`, `ERR_BAD_REQUEST`, `ERR_TRUNCATED_BODY`, `ERR_UNSUPPORTED_ENCODING`,
 * `ERR_DIGEST_MISMATCH`, and whatever the body throws
 */
export class FilesForm {
  readonly #body: FormBody
  readonly #init: FilesFormInit
  readonly #parser: FormParser
  readonly #events: FormEvent[] = []
  readonly #fields: FormField[] = []
  /** The field being read. */
  #field: { readonly name: string; readonly pieces: Uint8Array[]; bytes: number } | undefined
  #files = 0
  #isBroken = false

  /** @param contentType - of the request, with the boundary */
  constructor(body: FormBody, contentType: string | undefined, init: FilesFormInit) {
    this.#body = body
    this.#init = init
    this.#parser = new FormParser(parseBoundary(contentType))
  }

  /** In the order of the form, as far as they were read: all of them when there is a file. */
  get fields(): readonly FormField[] {
    return this.#fields
  }

  /** Nothing more can be read: the rest did not come, or is no form. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** @returns undefined at the end of a complete form */
  async next(): Promise<FormFile | undefined> {
    for (let event = await this.#event(); event !== undefined; event = await this.#event()) {
      const file = this.#take(event)
      if (file !== undefined) return file
    }
    return undefined
  }

  #take(event: FormEvent): FormFile | undefined {
    const field = this.#field
    switch (event.kind) {
      case 'part':
        return this.#begin(event.headers)
      case 'data':
        if (field !== undefined) addTo(field, event.bytes)
        return undefined
      case 'end':
        if (field !== undefined) this.#fields.push({ name: field.name, value: Buffer.concat(field.pieces).toString() })
        this.#field = undefined
        return undefined
    }
  }

  #begin(headers: ReadonlyMap<string, string>): FormFile | undefined {
    const { fieldNames, fileNames, filesMax } = this.#init
    const head = parsePartHead(headers)
    if (head === undefined)
      throw new SheafError('ERR_BAD_REQUEST', 'a part of the form has no Content-Disposition with a name')
    const headerOf: HeaderOf = header => headers.get(header)
    checkPlain(headerOf)
    const name = JSON.stringify(head.name)
    if (fileNames.has(head.name)) {
      if (++this.#files > filesMax)
        throw new SheafError('ERR_BAD_PARAMETER', `a form may have at most ${filesMax} files`)
      return this.#fileOf(head, ContentDigests.declaredBy(headerOf))
    }
    if (!fieldNames.has(head.name)) throw new SheafError('ERR_BAD_PARAMETER', `the form has an unknown field ${name}`)
    if (this.#files > 0) throw new SheafError('ERR_BAD_PARAMETER', `the field ${name} must come before the files`)
    if (this.#fields.length >= FIELDS_MAX)
      throw new SheafError('ERR_BAD_PARAMETER', `a form may have at most ${FIELDS_MAX} fields`)
    this.#field = { name: head.name, pieces: [], bytes: 0 }
    return undefined
  }

  #fileOf({ filename, contentType }: FormPartHead, digests: ContentDigests | undefined): FormFile {
    return { filename, contentType, bytes: this.#bytes(digests) }
  }

  async *#bytes(digests: ContentDigests | undefined): AsyncGenerator<Uint8Array> {
    for (let event = await this.#event(); event?.kind === 'data'; event = await this.#event()) {
      digests?.add(event.bytes)
      yield event.bytes
    }
    digests?.check()
  }

  async #event(): Promise<FormEvent | undefined> {
    try {
      while (this.#events.length === 0) {
        const { done, value } = await this.#body.next()
        if (!done) this.#events.push(...this.#parser.feed(value))
        else if (this.#parser.closed) return undefined
        else throw new SheafError('ERR_TRUNCATED_BODY', 'the form ends before its closing boundary')
      }
    } catch (err) {
      this.#isBroken = true
      throw err
    }
    return this.#events.shift()
  }
}

function addTo(
  field: { readonly name: string; readonly pieces: Uint8Array[]; bytes: number },
  bytes: Uint8Array
): void {
  field.pieces.push(bytes)
  field.bytes += bytes.byteLength
  if (field.bytes > FIELD_BYTES_MAX)
    throw new SheafError('ERR_BAD_PARAMETER', `the field ${JSON.stringify(field.name)} is longer than 16 KiB`)
}
