/*
 * IPTC-IIM, as in the APP13 segment of a JPEG, in TIFF, and in the resource 0x0404 of Photoshop.
 *
 *   dataset: u8 0x1c · u8 record · u8 number · u16 length, big-endian · data
 *
 * Extended datasets (length above 32,767) end the reading.
 */
import { readDate, readOffset } from '../../../domain/date-text.js'
import { ByteView, CAPTION_BYTES_MAX, PARTS_MAX, textFrom } from './head-bytes.js'
import type { HeadFacts } from './head-facts.js'

const TAG_MARKER = 0x1c
const HEAD_BYTES = 5
const APPLICATION_RECORD = 2
const KEYWORD = 25
const DATE_CREATED = 55
const TIME_CREATED = 60
const CAPTION = 120

const PHOTOSHOP_IPTC = 0x0404

export function readIptc(bytes: Buffer, facts: HeadFacts): void {
  const view = new ByteView(bytes)
  let date = ''
  let time = ''
  let at = 0
  for (let i = 0; i < PARTS_MAX && view.u8(at) === TAG_MARKER; i++) {
    const length = view.u16(at + 3)
    if (length > 0x7fff) break
    const data = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length)
    if (view.u8(at + 1) === APPLICATION_RECORD) {
      const number = view.u8(at + 2)
      if (number === KEYWORD) facts.keyword(textFrom(data) ?? '')
      if (number === CAPTION) facts.caption(textFrom(data, CAPTION_BYTES_MAX) ?? '')
      if (number === DATE_CREATED) date = textFrom(data) ?? ''
      if (number === TIME_CREATED) time = textFrom(data) ?? ''
    }
    at += HEAD_BYTES + length
  }
  tellDate(date, time, facts)
}

/** @param date - CCYYMMDD, with 00 for what is not known. @param time - HHMMSS±HHMM */
function tellDate(date: string, time: string, facts: HeadFacts): void {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(date) ?? []
  if (year === undefined) return
  const [, hour, minute, second, zone = ''] = /^(\d\d)(\d\d)(\d\d)([+-]\d{4})?$/.exec(time) ?? []
  const known = month === '00' ? year : day === '00' ? `${year}:${month}` : `${year}:${month}:${day}`
  const isDay = month !== '00' && day !== '00'
  const read = isDay && hour !== undefined ? readDate(`${known} ${hour}:${minute}:${second}`) : undefined
  facts.date('iptc', read === undefined ? known : { ...read, offsetMinutes: readOffset(zone) })
}

/**
 * Reads the IPTC among the resources of Photoshop.
 *
 *   resource: '8BIM' · u16 id · u8 length of a name, the name, padded to even · u32 length · data, padded to even
 */
export function readPhotoshop(bytes: Buffer, facts: HeadFacts): void {
  const view = new ByteView(bytes)
  let at = 0
  for (let i = 0; i < PARTS_MAX && view.latin1(at, 4) === '8BIM'; i++) {
    const name = view.u8(at + 6) + 1
    const head = at + 6 + name + (name % 2)
    const length = view.u32(head)
    if (view.u16(at + 4) === PHOTOSHOP_IPTC) readIptc(bytes.subarray(head + 4, head + 4 + length), facts)
    at = head + 4 + length + (length % 2)
  }
}
