import { encodeForm, type FormPart, type RequestOptions } from './http-client.js'
import type { SeededRandom } from './seeded-random.js'

/* Makes requests out of an OpenAPI document: such as it allows, and such as it does not. */

export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly uniqueItems?: boolean
  readonly minProperties?: number
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly contentMediaType?: string
  readonly examples?: readonly unknown[]
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: JsonSchema
  readonly example?: unknown
}

export interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> }
  readonly responses: Readonly<Record<string, Response>>
}

interface Response {
  readonly description: string
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>
}

/** A request in pieces, so that one of them can be broken. */
interface Draft {
  readonly path: Record<string, string>
  readonly query: [string, string][]
  readonly headers: Record<string, string>
  /** Undefined: it has none. */
  json: unknown
  form: FormPart[] | undefined
  raw: Uint8Array | undefined
}

export interface MadeRequest {
  readonly path: string
  readonly options: RequestOptions
  /** What is wrong with it. */
  readonly fault: string
}

const TEXTS = ['a', 'b c', 'ä', '日本', '🎉', 'x'.repeat(100), '1', '7', '0', '%', '"', '<b>', ' padded ', 'null']
const ASCII = TEXTS.filter(text => /^[ -~]+$/.test(text))
/** A time, a place. */
const FORMED = ['2026-11-20T14:03:00Z', '54.3,10.1']
const BAD_TEXTS = ['', ' ', 'x', '0', '-1', 'x'.repeat(300), '{}', 'zz zz', '\t', '\u0001', '1e9', '﻿']

/** An escape that stands for nothing. */
const MALFORMED = '%zz'

export class RequestMaker {
  readonly #random: SeededRandom
  readonly #known: Readonly<Record<string, readonly string[]>>
  readonly #file: Uint8Array

  /** @param known - values of parameters and fields that mean something to the server, by name */
  constructor(random: SeededRandom, known: Readonly<Record<string, readonly string[]>>, file: Uint8Array) {
    this.#random = random
    this.#known = known
    this.#file = file
  }

  /** A request that the document allows. @param skip - parameters that have rules beyond the document */
  good(template: string, operation: Operation, skip: ReadonlySet<string>): MadeRequest {
    return encode(template, this.#draft(operation, skip), '')
  }

  /** The same with headers that anybody may send anywhere. */
  odd(template: string, operation: Operation, skip: ReadonlySet<string>): MadeRequest {
    const draft = this.#draft(operation, skip)
    const [name, values] = this.#random.pick(Object.entries(ODD_HEADERS))
    const value = this.#random.pick(values)
    draft.headers[name] = value
    return encode(template, draft, `${name}: ${value}`)
  }

  /** A request that the document does not allow. @returns undefined: it allows all that can be made here */
  bad(template: string, operation: Operation, skip: ReadonlySet<string>, strict: boolean): MadeRequest | undefined {
    const draft = this.#draft(operation, skip)
    const faults = this.#faults(draft, operation, strict)
    if (faults.length === 0) return undefined
    const [fault, spoil] = this.#random.pick(faults)
    spoil()
    return encode(template, draft, fault)
  }

  #draft({ parameters = [], requestBody }: Operation, skip: ReadonlySet<string>): Draft {
    const draft: Draft = { path: {}, query: [], headers: {}, json: undefined, form: undefined, raw: undefined }
    for (const { name, in: place, required = false, example, schema: bare } of parameters) {
      const schema = example === undefined ? bare : { ...bare, examples: [example] }
      if (!required && (skip.has(name) || this.#random.chance(0.6))) continue
      if (place === 'path') draft.path[name] = String(this.#value(schema, name))
      else if (place === 'header') draft.headers[name] = this.#text(schema, name, ASCII)
      else for (const value of [this.#value(schema, name)].flat()) draft.query.push([name, String(value)])
    }
    const [type, { schema } = {}] = Object.entries(requestBody?.content ?? {})[0] ?? []
    if (schema === undefined) return draft
    if (type === 'application/json') draft.json = this.#value(schema, '', skip)
    else if (type === 'multipart/form-data') draft.form = this.#form(schema, skip)
    else draft.raw = this.#file
    return draft
  }

  /** What can be broken, with a name for each. */
  #faults(draft: Draft, { parameters = [], requestBody }: Operation, strict: boolean): [string, () => void][] {
    const faults: [string, () => void][] = []
    for (const { name, in: place, required = false, schema } of parameters) {
      const bad = this.#badText(schema)
      if (bad !== undefined && place === 'path') {
        faults.push([`path ${name}`, () => Object.assign(draft.path, { [name]: bad === '' ? MALFORMED : bad })])
      }
      if (bad !== undefined && place === 'query') faults.push([`query ${name}`, () => replace(draft.query, name, bad)])
      if (required && place === 'query') faults.push([`no ${name}`, () => replace(draft.query, name)])
    }
    if (strict) faults.push(['an unknown parameter', () => draft.query.push(['nope', '1'])])
    const json = requestBody?.content['application/json']?.schema
    if (json !== undefined) faults.push(...this.#jsonFaults(draft, json))
    if (draft.form !== undefined) {
      const { form } = draft
      faults.push(['no file', () => Object.assign(draft, { form: form.filter(({ name }) => name !== 'file') })])
      faults.push(['an unknown field', () => Object.assign(draft, { form: [{ name: 'nope', value: '1' }, ...form] })])
      for (const [name, schema] of Object.entries(
        requestBody?.content['multipart/form-data']?.schema.properties ?? {}
      )) {
        const bad = this.#badText(schema.items ?? schema)
        if (bad !== undefined && name !== 'file')
          faults.push([`field ${name}`, () => Object.assign(draft, { form: [{ name, value: bad }, ...form] })])
      }
    }
    return faults
  }

  #jsonFaults(draft: Draft, schema: JsonSchema): [string, () => void][] {
    const set = (json: unknown): (() => void) => {
      return () => Object.assign(draft, { json })
    }
    const body = draft.json as Record<string, unknown>
    const faults: [string, () => void][] = [
      ['a list for a body', set([])],
      ['a number for a body', set(5)],
      ['an unknown member', set({ ...body, nope: 1 })]
    ]
    for (const name of schema.required ?? []) {
      const { [name]: _, ...rest } = body
      faults.push([`no ${name}`, set(rest)])
    }
    for (const [name, { type, ...inner }] of Object.entries(schema.properties ?? {})) {
      faults.push([`member ${name} of another type`, set({ ...body, [name]: type === 'array' ? {} : [] })])
      const bad = this.#badText({ type: 'string', ...inner })
      if (type === 'string' && bad !== undefined) faults.push([`member ${name}`, set({ ...body, [name]: bad })])
    }
    return faults
  }

  #value(schema: JsonSchema, name: string, skip: ReadonlySet<string> = new Set()): unknown {
    const random = this.#random
    if (schema.const !== undefined) return schema.const
    if (schema.enum !== undefined) return random.pick(schema.enum)
    const type = typeof schema.type === 'string' ? schema.type : random.pick(schema.type ?? ['string'])
    switch (type) {
      case 'integer':
        return (schema.minimum ?? -5) + random.below(Math.min(20, (schema.maximum ?? 20) - (schema.minimum ?? -5)) + 1)
      case 'number':
        return random.pick([schema.minimum ?? -1, schema.maximum ?? 1, 0, 0.25, -0.5, 1e-6])
      case 'boolean':
        return random.chance(0.5)
      case 'null':
        return null
      case 'array': {
        const count = (schema.minItems ?? 0) + random.below(3)
        const items = Array.from({ length: count }, () => this.#value(schema.items ?? {}, name))
        return schema.uniqueItems === true ? [...new Set(items)] : items
      }
      case 'object':
        return this.#object(schema, skip)
      default:
        return this.#text(schema, name)
    }
  }

  #object(
    { properties = {}, required = [], minProperties = 0, additionalProperties }: JsonSchema,
    skip: ReadonlySet<string>
  ) {
    const made: Record<string, unknown> = {}
    for (const [name, schema] of Object.entries(properties)) {
      const isNeeded = required.includes(name) || Object.keys(made).length < minProperties
      if (isNeeded || (!skip.has(name) && this.#random.chance(0.5))) made[name] = this.#value(schema, name)
    }
    if (typeof additionalProperties === 'object') made.key = this.#value(additionalProperties, 'key')
    return made
  }

  #text(schema: JsonSchema, name: string, common: readonly string[] = TEXTS): string {
    const examples = (schema.examples ?? []).map(String)
    const known = this.#known[name] ?? (schema.format === 'uuid' ? this.#known.id : undefined) ?? []
    if (known.length > 0 && this.#random.chance(0.7)) return this.#random.pick(known)
    const texts = [...common, ...examples, ...known, ...FORMED].filter(text => fits(schema, text))
    if (texts.length === 0) throw new Error(`no text is known that fits ${JSON.stringify(schema)}; give it an example`)
    return this.#random.pick(texts)
  }

  /** @returns undefined: every text is allowed */
  #badText(schema: JsonSchema): string | undefined {
    const { items, type } = schema
    if (items !== undefined) return this.#badText(items)
    const isBad = (text: string): boolean => {
      if (type === 'integer' || type === 'number')
        return !(text.trim() === text && text !== '' && inRange(schema, Number(text)))
      if (type === 'boolean') return text !== 'true' && text !== 'false'
      return !fits(schema, text)
    }
    const texts = BAD_TEXTS.filter(isBad)
    return texts.length === 0 ? undefined : this.#random.pick(texts)
  }

  #form({ properties = {} }: JsonSchema, skip: ReadonlySet<string>): FormPart[] {
    const parts: FormPart[] = []
    for (const [name, schema] of Object.entries(properties)) {
      if (name === 'file' || skip.has(name) || this.#random.chance(0.5)) continue
      for (const value of [this.#value(schema, name)].flat()) parts.push({ name, value: String(value) })
    }
    return [...parts, { name: 'file', filename: 'a.jpg', value: this.#file }]
  }
}

/** Headers that may come with any request, with values good and bad. */
const ODD_HEADERS: Readonly<Record<string, readonly string[]>> = {
  'if-match': ['*', '"x"', 'W/"x"', 'x'],
  'if-none-match': ['*', '"x"', 'x'],
  'if-modified-since': ['Fri, 01 Jan 2100 00:00:00 GMT', 'yesterday'],
  'if-unmodified-since': ['Mon, 01 Jan 2001 00:00:00 GMT', 'yesterday'],
  range: ['bytes=0-1', 'bytes=9999999-', 'bytes=x', 'lines=1-2'],
  'content-range': ['bytes 0-1/5', 'x'],
  'content-encoding': ['gzip', 'identity', 'x'],
  'content-md5': ['x', '1B2M2Y8AsgTpgAmY7PhCfg=='],
  'content-digest': ['sha-256=:x:', 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:', 'x'],
  digest: ['sha-256=x', 'crc32c=AAAAAA==', 'x'],
  'content-type': ['///', 'text/plain', 'multipart/form-data', 'application/json'],
  expect: ['wonders', '100-continue'],
  origin: ['http://elsewhere.example', 'null', 'x'],
  'sec-fetch-site': ['cross-site', 'same-origin', 'x'],
  host: ['elsewhere.example', 'localhost', '"'],
  authorization: ['Bearer x', 'Basic eDp5', 'x'],
  'idempotency-key': ['k', 'x'.repeat(300)],
  'last-event-id': ['1', 'x'],
  accept: ['text/plain', 'x'],
  'x-request-id': ['mine', '"']
}

function fits(schema: JsonSchema, text: string): boolean {
  const { pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY, format, enum: values } = schema
  if (values !== undefined && !values.includes(text)) return false
  if (format === 'date-time' && !/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(text)) return false
  const length = [...text].length
  return (pattern === undefined || new RegExp(pattern, 'u').test(text)) && length >= minLength && length <= maxLength
}

function inRange(
  { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY, type }: JsonSchema,
  value: number
) {
  return value >= minimum && value <= maximum && (type === 'number' || Number.isInteger(value))
}

function replace(query: [string, string][], name: string, value?: string): void {
  const rest = query.filter(([key]) => key !== name)
  query.splice(0, query.length, ...rest, ...(value === undefined ? [] : ([[name, value]] as [string, string][])))
}

function encode(template: string, { path, query, headers, json, form, raw }: Draft, fault: string): MadeRequest {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => escaped(path[name] ?? ''))
  const search = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  const body = json === undefined ? raw : Buffer.from(JSON.stringify(json))
  const type = json === undefined ? {} : { 'content-type': 'application/json' }
  const { body: parts, contentType } = form === undefined ? { body: undefined, contentType: '' } : encodeForm(form)
  const options: RequestOptions =
    parts === undefined
      ? { headers: { ...type, ...headers }, ...(body !== undefined && { body }) }
      : { headers: { 'content-type': contentType, ...headers }, body: parts }
  return { path: `${filled}${search === '' ? '' : `?${search}`}`, options, fault }
}

function escaped(text: string): string {
  return text === MALFORMED ? text : encodeURIComponent(text)
}
