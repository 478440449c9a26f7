/** What other programs can read of a photo, from a sidecar `IMG_1.jpg.xmp`. */
export interface XmpFields {
  readonly caption?: string | null
  readonly rating?: number | null
  readonly tags: readonly string[]
  /** As answers show it. */
  readonly taken_at?: string | null
  readonly place?: { readonly lat: number; readonly lon: number } | null
}

const NAMESPACES = [
  'xmlns:xmp="http://ns.adobe.com/xap/1.0/"',
  'xmlns:dc="http://purl.org/dc/elements/1.1/"',
  'xmlns:exif="http://ns.adobe.com/exif/1.0/"',
  'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
].join(' ')

export function xmpBytes({ caption, rating, tags, taken_at, place }: XmpFields): Buffer {
  const attributes = [
    rating == null ? '' : ` xmp:Rating="${rating}"`,
    taken_at == null
      ? ''
      : ` photoshop:DateCreated="${escaped(taken_at)}" exif:DateTimeOriginal="${escaped(taken_at)}"`,
    place == null
      ? ''
      : ` exif:GPSLatitude="${degrees(place.lat, 'NS')}" exif:GPSLongitude="${degrees(place.lon, 'EW')}"`
  ].join('')
  const lines = [
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">',
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    `<rdf:Description rdf:about="" ${NAMESPACES}${attributes}>`,
    ...(caption == null
      ? []
      : [
          `<dc:description><rdf:Alt><rdf:li xml:lang="x-default">${escaped(caption)}</rdf:li></rdf:Alt></dc:description>`
        ]),
    ...(tags.length === 0
      ? []
      : [
          `<dc:subject><rdf:Bag>${tags.map(tag => `<rdf:li>${escaped(tag)}</rdf:li>`).join('')}</rdf:Bag></dc:subject>`
        ]),
    '</rdf:Description>',
    '</rdf:RDF>',
    '</x:xmpmeta>',
    '<?xpacket end="w"?>'
  ]
  return Buffer.from(`${lines.join('\n')}\n`)
}

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' }

/** What XML has no form for is left out. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[<>&"]/g, character => ENTITIES[character] ?? '')
}

/** @returns degrees and minutes: `54,19.3800000N` */
function degrees(value: number, [positive, negative]: string): string {
  const minutes = Math.round(Math.abs(value) * 60 * 1e7) / 1e7
  const whole = Math.floor(minutes / 60)
  return `${whole},${(minutes - whole * 60).toFixed(7)}${value < 0 ? negative : positive}`
}
