/*
 * XMP, a packet of RDF in XML. Read by a tokenizer for tags, attributes and the texts of simple elements: no entities but
 * the five of XML and numbers, no document types, no other encoding than UTF-8. Prefixes are taken as everybody writes them.
 */
import {
  CONTAINER_ITEMS_MAX,
  type HeadBytes,
  TEXT_BYTES_MAX,
  XMP_BYTES_MAX,
  XMP_DEPTH_MAX,
  XMP_TAGS_MAX
} from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'
import { type ContainerItem, placeFromEnd, placesInContainer } from './motion-places.js'

/** Properties whose first value is kept. */
const WANTED = new Set([
  'exif:DateTimeOriginal',
  'photoshop:DateCreated',
  'xmp:CreateDate',
  'xmp:Rating',
  'tiff:Make',
  'tiff:Model',
  'aux:Lens',
  'exif:GPSLatitude',
  'exif:GPSLongitude',
  'GCamera:MicroVideoOffset'
])
/** Of a file that holds more than a picture; both names are in use. */
const ITEM = /^G?Container:Item$/
const ITEM_PROPERTY = /^(?:GContainer)?Item:(Mime|Semantic|Length|Padding)$/
const KEYWORDS = 'dc:subject'
const CAPTION = 'dc:description'
const VALUE_LENGTH_MAX = 4_096

/** Reads the packet at a place of a file, unless it is too long. */
export async function readXmpAt(bytes: HeadBytes, at: number, length: number, facts: HeadFacts): Promise<void> {
  if (length <= XMP_BYTES_MAX && bytes.takeBlock()) readXmp(await bytes.read(at, length), facts, bytes.size)
}

/**
 * @param bytes - of the packet; only the first {@link XMP_BYTES_MAX} are looked at
 * @param fileBytes - of the file that it is in; 0: it says nothing of that
 */
export function readXmp(bytes: Buffer, facts: HeadFacts, fileBytes = 0): void {
  const found = new Map<string, string>()
  const items: ContainerItem[] = []
  const begin = (name: string): void => {
    if (ITEM.test(name) && items.length < CONTAINER_ITEMS_MAX)
      items.push({ mime: '', semantic: '', length: '', padding: '' })
  }
  const note = (name: string, value: string): void => {
    if (name === KEYWORDS) facts.keyword(unescaped(value))
    else if (name === CAPTION) facts.caption(unescaped(value))
    else if (items.length > 0 && ITEM_PROPERTY.test(name)) {
      const property = name.replace(ITEM_PROPERTY, '$1').toLowerCase() as keyof ContainerItem
      items[items.length - 1]![property] ||= value.trim().slice(0, TEXT_BYTES_MAX)
    } else if (WANTED.has(name) && !found.has(name)) found.set(name, unescaped(value))
  }
  tokenize(bytes.toString('utf8', 0, Math.min(bytes.length, XMP_BYTES_MAX)), note, begin)
  const value = (name: string): string => found.get(name)?.trim() ?? ''
  for (const name of ['exif:DateTimeOriginal', 'photoshop:DateCreated', 'xmp:CreateDate'])
    facts.date('xmp', value(name))
  const rating = Number.parseFloat(value('xmp:Rating'))
  if (Number.isFinite(rating)) facts.rating(Math.round(rating))
  const text = (name: string): string | undefined => value(name).slice(0, TEXT_BYTES_MAX) || undefined
  facts.camera({ make: text('tiff:Make'), model: text('tiff:Model'), lens: text('aux:Lens') })
  const latitude = degreesOf(value('exif:GPSLatitude'))
  const longitude = degreesOf(value('exif:GPSLongitude'))
  if (latitude !== undefined && longitude !== undefined) facts.place({ latitude, longitude })
  const places = [...placesInContainer(items, fileBytes), ...placeFromEnd(value('GCamera:MicroVideoOffset'), fileBytes)]
  for (const place of places) facts.motion(place)
}

/**
 * @param note - called with each attribute, and with the text of each element; for the text of an item in a list, by the name
 * of the property that it is listed in
 * @param begin - called with the name of each element, before that
 */
function tokenize(text: string, note: (name: string, value: string) => void, begin: (name: string) => void): void {
  /** Names of the open elements; deeper ones are only counted. */
  const open: string[] = []
  let deeper = 0
  let at = text.indexOf('<')
  for (let tags = 0; at !== -1 && tags < XMP_TAGS_MAX; tags++) {
    if (text.startsWith('<!--', at) || text.startsWith('<?', at) || text.startsWith('<!', at)) {
      const [mark, length] = text.startsWith('<!--', at) ? ['-->', 3] : ['>', 1]
      const end = text.indexOf(mark, at + 2)
      if (end === -1) return
      at = text.indexOf('<', end + length)
      continue
    }
    const end = endOfTag(text, at)
    if (end === -1) return
    const next = text.indexOf('<', end + 1)
    if (text[at + 1] === '/') {
      if (deeper > 0) deeper--
      else open.pop()
    } else {
      const isEmpty = text[end - 1] === '/'
      const nameEnd = endOfName(text, at + 1, end)
      begin(text.slice(at + 1, nameEnd))
      readAttributes(text, nameEnd, isEmpty ? end - 1 : end, note)
      if (!isEmpty) {
        if (open.length < XMP_DEPTH_MAX) open.push(text.slice(at + 1, nameEnd))
        else deeper++
        // what stands before the closing tag is the element's text
        if (deeper === 0 && next !== -1 && text[next + 1] === '/') {
          note(propertyOf(open), text.slice(end + 1, Math.min(next, end + 1 + VALUE_LENGTH_MAX)))
        }
      }
    }
    at = next
  }
}

/** @returns the property that an element gives a value of: itself, or for `rdf:li` in a list the element around the list */
function propertyOf(open: readonly string[]): string {
  const name = open.at(-1) ?? ''
  return name === 'rdf:li' ? (open.at(-3) ?? '') : name
}

/** @returns where the tag's `>` is, outside of quotes; -1: nowhere */
function endOfTag(text: string, from: number): number {
  let quote = 0
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (quote !== 0) {
      if (code === quote) quote = 0
    } else if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) quote = code
    else if (code === CLOSE) return at
  }
  return -1
}

const DOUBLE_QUOTE = 0x22
const SINGLE_QUOTE = 0x27
const SLASH = 0x2f
const EQUALS = 0x3d
const CLOSE = 0x3e

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d
}

function endOfName(text: string, from: number, end: number): number {
  let at = from
  for (; at < end; at++) {
    const code = text.charCodeAt(at)
    if (isBlank(code) || code === SLASH || code === EQUALS) break
  }
  return at
}

function readAttributes(text: string, from: number, end: number, note: (name: string, value: string) => void): void {
  let at = from
  while (at < end) {
    while (at < end && isBlank(text.charCodeAt(at))) at++
    const nameEnd = endOfName(text, at, end)
    const name = text.slice(at, nameEnd)
    at = nameEnd
    while (at < end && isBlank(text.charCodeAt(at))) at++
    if (text.charCodeAt(at) !== EQUALS) {
      at = Math.max(at, nameEnd + 1)
      continue
    }
    at++
    while (at < end && isBlank(text.charCodeAt(at))) at++
    const quote = text[at] ?? ''
    const close = quote === '"' || quote === "'" ? text.indexOf(quote, at + 1) : -1
    if (close === -1 || close >= end) return
    note(name, text.slice(at + 1, Math.min(close, at + 1 + VALUE_LENGTH_MAX)))
    at = close + 1
  }
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"]
])

function unescaped(text: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#\d{1,7}|[a-z]{1,4});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES.get(name) ?? whole
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

/** @param text - `48,8.5N`, `48,8,30N` */
function degreesOf(text: string): number | undefined {
  const match = /^(\d{1,3}),(\d{1,2}(?:\.\d{1,12})?)(?:,(\d{1,2}(?:\.\d{1,12})?))?([NSEW])$/.exec(text)
  if (match === null) return undefined
  const degrees = Number(match[1]) + Number(match[2]) / 60 + Number(match[3] ?? 0) / 3_600
  return match[4] === 'S' || match[4] === 'W' ? -degrees : degrees
}
