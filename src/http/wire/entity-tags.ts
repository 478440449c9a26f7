/** One tag of a list; the prefix `W/` makes it weak (RFC 9110, section 8.8.3). */
const ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/

/** @returns the tags unchanged, or `*`; undefined when the header is malformed */
export function parseEntityTags(header: string): readonly string[] | '*' | undefined {
  if (header.trim() === '*') return '*'
  // A list may have empty elements (RFC 9110, section 5.6.1).
  let rest = header.replace(/^[,\s]+/, '')
  const tags: string[] = []
  while (rest !== '') {
    const tag = ENTITY_TAG.exec(rest)?.[0]
    if (tag === undefined) return undefined
    tags.push(tag)
    rest = rest.slice(tag.length).trimStart()
    if (rest !== '' && !rest.startsWith(',')) return undefined
    rest = rest.replace(/^[,\s]+/, '')
  }
  return tags.length === 0 ? undefined : tags
}

/** If-None-Match uses weak comparison: `W/` is ignored. @param etag - undefined: there is something, without a tag */
export function matchesWeakly(tags: readonly string[] | '*', etag: string | undefined): boolean {
  if (tags === '*') return true
  const opaque = etag?.replace(/^W\//, '')
  return tags.some(tag => tag.replace(/^W\//, '') === opaque)
}

/** If-Match uses strong comparison: a weak tag never matches. @param etag - as above */
export function matchesStrongly(tags: readonly string[] | '*', etag: string | undefined): boolean {
  return tags === '*' || (etag !== undefined && !etag.startsWith('W/') && tags.includes(etag))
}
